import { z } from 'zod';
import { disk, installer, repository, staticNetwork } from './install-settings.ts';
import { ovf } from './ovf-settings.ts';
import { durationMs, sizeBytes, waitMs } from './quantities.ts';
import {
  absolutePath,
  exactlyOneOf,
  hostName,
  hostOrAddress,
  httpUrl,
  imageName,
  kernelArgument,
  line,
  octalMode,
  packageName,
  sshKey,
  timeZone,
  unitName,
  userName,
} from './values.ts';

export const formats = ['qcow2', 'raw', 'vmdk', 'ova'] as const;
export type Format = (typeof formats)[number];
export const arches = ['amd64', 'arm64'] as const;
export type Arch = (typeof arches)[number];
export const firmwares = ['bios', 'uefi'] as const;
export type Firmware = (typeof firmwares)[number];

const user = z.strictObject({
  name: userName.meta({ description: 'Login name.', example: 'ops' }),
  sshKeys: z.array(sshKey).min(1).meta({ description: 'Public keys that may log in as this user.' }),
  sudo: z.boolean().default(true).meta({ description: 'May run anything as root without a password.' }),
  groups: z
    .array(userName)
    .default([])
    .meta({ description: 'Further groups of the user.', example: ['adm'] }),
});

const file = z
  .strictObject({
    path: absolutePath.meta({ description: 'Where the file goes in the image.', example: '/etc/motd' }),
    content: z.string().optional().meta({ description: 'The text of the file.' }),
    source: line
      .min(1)
      .optional()
      .meta({ description: 'A file on this machine to copy, of at most 1 GiB, relative to the recipe.' }),
    mode: octalMode.default('0644').meta({ description: 'Permissions, octal, in quotes.', example: '0755' }),
    owner: line
      .regex(/^[a-z_][a-z0-9_-]*(:[a-z_][a-z0-9_-]*)?$/, 'must be USER or USER:GROUP')
      .default('root:root')
      .meta({ description: 'USER or USER:GROUP.', example: 'root:adm' }),
  })
  .superRefine(exactlyOneOf('content', 'source'));

const script = z
  .strictObject({
    name: line.optional().meta({ description: 'What progress and errors call the script.' }),
    run: z.string().min(1).optional().meta({ description: 'The text of the script, run as root by /bin/sh -e.' }),
    source: line.min(1).optional().meta({ description: 'A script on this machine, relative to the recipe.' }),
  })
  .superRefine(exactlyOneOf('run', 'source'));

const services = z
  .strictObject({
    enable: z
      .array(unitName)
      .default([])
      .meta({ description: 'systemd units to enable.', example: ['ssh.service'] }),
    disable: z.array(unitName).default([]).meta({ description: 'systemd units to disable.' }),
    mask: z.array(unitName).default([]).meta({ description: 'systemd units to mask.' }),
  })
  .refine((value) => value.enable.length + value.disable.length + value.mask.length > 0, {
    error: 'must name at least one unit to enable, disable or mask',
  });

const sysctls = z
  .record(
    line.regex(/^[a-z0-9_]+([./][A-Za-z0-9_-]+)+$/, 'must be a sysctl name such as vm.swappiness'),
    z.union([line.trim(), z.number()], { error: 'must be a number or text' }),
  )
  .refine((value) => Object.keys(value).length > 0, { error: 'must name at least one sysctl' });

export const stepKinds = ['packages', 'files', 'sysctls', 'services', 'scripts'] as const;
export type StepKind = (typeof stepKinds)[number];

const step = z
  .strictObject({
    packages: z
      .array(packageName)
      .min(1)
      .optional()
      .meta({ description: 'Packages to install.', example: ['jq'] }),
    files: z.array(file).min(1).optional().meta({ description: 'Files to write.' }),
    sysctls: sysctls
      .optional()
      .meta({ description: 'Kernel parameters, kept in /etc/sysctl.d.', example: { 'vm.swappiness': 0 } }),
    services: services.optional().meta({ description: 'systemd units to enable, disable or mask.' }),
    scripts: z.array(script).min(1).optional().meta({ description: 'Scripts to run as root, in order.' }),
    timeout: waitMs.prefault('30m').meta({ description: 'The step fails after this time.', example: '10m' }),
  })
  .superRefine(exactlyOneOf(...stepKinds));

const limits = z.strictObject({
  ssh: waitMs
    .optional()
    .meta({ description: 'For a booted guest to answer by SSH. Default: 3m, 10m when emulated.', example: '20m' }),
  silence: waitMs
    .optional()
    .meta({ description: 'Without a sign of life of the guest. Default: 3m, 10m when emulated.', example: '20m' }),
  powerOff: waitMs
    .optional()
    .meta({ description: 'For a guest to power itself off. Default: 2m, 5m when emulated.', example: '10m' }),
});

/** For authors' editors; matrix.ts takes it apart and says what is wrong. */
const matrix = z.record(z.string(), z.union([z.array(z.unknown()).min(1), z.record(z.string(), z.unknown())]));

/**
 * Everything a recipe can say of an image. Types, flags, help, the JSON Schema and the reference page come from here. In the
 * `meta` of a setting: `description`, an `example`, and the `flag` of the command line, if it has one; `file` if that names
 * a file on this machine.
 */
export const recipeFields = z.strictObject({
  name: imageName
    .optional()
    .meta({ description: 'The image; output files are named after it. Default: the distro.', example: 'web-node' }),
  distro: line.meta({
    description:
      'What to build, as `kvmimg distros` lists it. Required, unless a `base` recipe or the matrix names it.',
    example: 'debian-13',
  }),
  base: line.min(1).optional().meta({
    description:
      'What to build on in place of an empty disk: a recipe, whose users and steps come first, or a qcow2 or raw image of the same distro with cloud-init. Relative to the recipe.',
    example: 'base.yaml',
  }),
  arch: z
    .enum(arches)
    .default('amd64')
    .meta({ description: 'Processor architecture of the image.', flag: '--arch <arch>' }),
  firmware: z.enum(firmwares).optional().meta({
    description:
      'Firmware of the machine that builds, and what an OVA says of it; the image boots with both. Default: bios, on arm64 uefi.',
    flag: '--firmware <firmware>',
  }),
  cpus: z.int().min(1).max(64).default(2).meta({
    description: 'Virtual CPUs while building, where an emulated machine has one, and what an OVA says of them.',
  }),
  memory: sizeBytes.optional().meta({
    description: 'Memory while building, and what an OVA says of it. Default: 2GiB, or what the installer needs.',
    example: '4GiB',
  }),
  disk: disk.prefault({}).meta({ description: 'The disk.' }),
  hostname: hostName.default('localhost').meta({ description: 'Host name until first-boot data sets another.' }),
  locale: line
    .regex(/^(C|[a-z]{2,3}_[A-Z]{2})\.UTF-8$/, 'must be a UTF-8 locale such as C.UTF-8 or de_DE.UTF-8')
    .default('C.UTF-8')
    .meta({ description: 'System locale.', example: 'en_US.UTF-8' }),
  timezone: timeZone
    .default('Etc/UTC')
    .meta({ description: 'Time zone; the hardware clock is UTC.', example: 'Europe/Berlin' }),
  keyboard: line
    .regex(/^[a-z]{2,}(\([a-z0-9_-]+\))?$/, 'must be an XKB layout such as us or de(nodeadkeys)')
    .default('us')
    .meta({ description: 'Keyboard layout (XKB).', example: 'de' }),
  network: z
    .union([z.literal('dhcp'), staticNetwork], { error: 'must be dhcp or an address with a gateway' })
    .default('dhcp')
    .meta({
      description:
        'Network of the image where it starts without first-boot data: `dhcp` on every Ethernet device, or a static address of the first one. With such data cloud-init sets up the network.',
    }),
  ntp: z
    .array(hostOrAddress)
    .default([])
    .meta({ description: "Time servers. Default: the distribution's own.", example: ['ntp.example.org'] }),
  repositories: z
    .array(repository)
    .default([])
    .meta({ description: 'Further package repositories, of the build and of the image.' }),
  installer: installer.prefault({}).meta({ description: "The installer's medium." }),
  answerFile: line.min(1).optional().meta({
    description:
      "An answer file of your own in place of kvmimg's. Filled in are {{guestRoot}}, {{seedUrl}}, {{callbackUrl}}, {{syslogPort}}, {{diskSerial}}, {{buildUser}}, {{buildUserKey}}, {{hostPublicKey}} and {{hostPrivateKeyBase64}}: it makes that user with that key and sudo, and puts in that host key, so that the build can go on. Its disk is not checked, and locale and time zone only where the recipe says them. In a recipe relative to it.",
    example: 'my.ks',
    flag: '--answer-file <file>',
    file: true,
  }),
  packages: z
    .array(packageName)
    .default([])
    .meta({ description: 'Extra packages, installed by the installer.', example: ['curl'] }),
  users: z
    .array(user)
    .default([])
    .meta({ description: 'Users of the image. Default: none; first-boot data adds them.' }),
  mirror: httpUrl.optional().meta({
    description:
      "Package mirror to build from. Default: for Debian on a Debian host that of the host's apt, else the public one.",
    example: 'http://mirror.example.org/debian',
    flag: '--mirror <url>',
  }),
  securityMirror: httpUrl.optional().meta({
    description: 'Mirror of security updates to build from. Default: as of `mirror`, which does not stand for it.',
  }),
  imageMirror: httpUrl.optional().meta({ description: 'Mirror that the image is left with. Default: the public one.' }),
  imageSecurityMirror: httpUrl
    .optional()
    .meta({ description: 'Mirror of security updates that the image is left with. Default: the public one.' }),
  proxy: httpUrl
    .optional()
    .meta({ description: 'HTTP proxy that kvmimg fetches through.', example: 'http://proxy.example.org:3128' }),
  kernelArguments: z
    .array(kernelArgument)
    .default([])
    .meta({ description: 'Further kernel arguments of the image.', example: ['nomodeset'] }),
  provision: z
    .array(step)
    .default([])
    .meta({
      description: `Steps over SSH after the install, in order; each has one of ${stepKinds.join(', ')}. Any of them may be run in a boot of its own: what the next one needs goes on the disk, not into /tmp or /run.`,
    }),
  expires: z
    .union([z.literal('never'), durationMs], { error: 'must be never or a duration such as 12h or 7d' })
    .prefault('7d')
    .meta({
      description: 'A layer that has read the package mirror is made again when it is older than this, or never.',
      example: '30d',
    }),
  limits: limits.prefault({}).meta({ description: 'How long a build waits before it fails.' }),
  formats: z
    .array(z.enum(formats))
    .min(1)
    .default(['qcow2'])
    .meta({ description: 'Files to write.', flag: '--format <list>' }),
  ovf: ovf
    .prefault({})
    .meta({ description: 'What an OVA says of its machine, beside `cpus`, `memory` and `firmware`.' }),
});

/** What the file of a recipe can hold: the settings of an image, and the matrix that makes several images of them. */
export const recipeFileFields = recipeFields
  .extend({
    matrix: matrix.optional().meta({
      description:
        'Settings with a list of values each: builds an image of every combination, named `NAME-VALUE-VALUE`, at most 64. A setting that the command line sets as well has that value in all of them.',
      example: { distro: ['debian-12', 'debian-13'], 'disk.size': ['8GiB', '20GiB'] },
    }),
  })
  // For the JSON Schema: the distro of each image may come from the matrix.
  .meta({
    required: [],
    anyOf: [
      { required: ['distro'] },
      { required: ['base'] },
      { required: ['matrix'], properties: { matrix: { type: 'object', required: ['distro'] } } },
    ],
  });

/** The settings, and the defaults that depend on other settings; a matrix has been taken apart before. */
export const recipeSchema = recipeFileFields.transform(({ matrix: _, ...fields }) => ({
  ...fields,
  name: fields.name ?? fields.distro,
  firmware: fields.firmware ?? defaultFirmware(fields.arch),
}));

/** A recipe with the defaults that do not depend on the distro; sizes in bytes, durations in milliseconds. */
export type RecipeSettings = z.output<typeof recipeSchema>;

/** A recipe with every default filled in. */
export type Recipe = Omit<RecipeSettings, 'memory' | 'disk'> & {
  readonly memory: number;
  readonly disk: RecipeSettings['disk'] & { readonly size: number };
};
export type Step = Recipe['provision'][number];
export type User = Recipe['users'][number];

function defaultFirmware(arch: Arch): Firmware {
  return arch === 'arm64' ? 'uefi' : 'bios';
}
