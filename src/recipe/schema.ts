import { z } from 'zod';
import { durationMs, sizeBytes } from './quantities.ts';

export const formats = ['qcow2', 'raw', 'vmdk', 'ova'] as const;
export type Format = (typeof formats)[number];
export const arches = ['amd64', 'arm64'] as const;
export type Arch = (typeof arches)[number];
export const firmwares = ['bios', 'uefi'] as const;
export type Firmware = (typeof firmwares)[number];

const noControl = /^[^\p{Cc}]*$/u;
const line = z.string().regex(noControl, 'must be one line without control characters');
const httpUrl = line.regex(/^https?:\/\/[^\s'"\\]+$/, 'must be an http:// or https:// URL');
const packageName = line.regex(/^[a-z0-9][a-z0-9+.-]+$/, 'must be a package name');
const userName = line.regex(
  /^[a-z_][a-z0-9_-]{0,30}$/,
  'must be a user name: a-z, 0-9, _ and -, at most 31 characters',
);
const absolutePath = line.regex(/^\/[^\0]*[^/\0]$/, 'must be an absolute path');
const octalMode = z.string().regex(/^0?[0-7]{3,4}$/, 'must be an octal mode such as "0644"');
const hostName = line.regex(
  /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/,
  'must be a host name: a-z, 0-9 and -, at most 63 characters',
);
const sshKey = line.regex(
  /^(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp\d+|sk-[a-z0-9@.-]+) [A-Za-z0-9+/]+=*( .*)?$/,
  'must be an SSH public key',
);

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
    source: line.optional().meta({ description: 'A file on this machine to copy, relative to the recipe.' }),
    mode: octalMode.default('0644').meta({ description: 'Permissions, octal.', example: '0755' }),
    owner: line
      .regex(/^[a-z_][a-z0-9_-]*(:[a-z_][a-z0-9_-]*)?$/, 'must be USER or USER:GROUP')
      .default('root:root')
      .meta({ description: 'USER or USER:GROUP.', example: 'root:root' }),
  })
  .refine((value) => (value.content === undefined) !== (value.source === undefined), {
    message: 'must have exactly one of content and source',
  });

const script = z
  .strictObject({
    name: line.optional().meta({ description: 'What progress and errors call the script.' }),
    run: z.string().min(1).optional().meta({ description: 'The text of the script, run as root by /bin/sh.' }),
    source: line.optional().meta({ description: 'A script on this machine, relative to the recipe, run as root.' }),
  })
  .refine((value) => (value.run === undefined) !== (value.source === undefined), {
    message: 'must have exactly one of run and source',
  });

const services = z.strictObject({
  enable: z.array(line).default([]).meta({ description: 'systemd units to enable.' }),
  disable: z.array(line).default([]).meta({ description: 'systemd units to disable.' }),
  mask: z.array(line).default([]).meta({ description: 'systemd units to mask.' }),
});

export const stepKinds = ['packages', 'files', 'sysctls', 'services', 'scripts'] as const;
export type StepKind = (typeof stepKinds)[number];

const step = z
  .strictObject({
    packages: z.array(packageName).min(1).optional().meta({ description: 'Packages to install.' }),
    files: z.array(file).min(1).optional().meta({ description: 'Files to write.' }),
    sysctls: z
      .record(
        line.regex(/^[a-z0-9_]+([./][A-Za-z0-9_*-]+)+$/, 'must be a sysctl name such as vm.swappiness'),
        z.union([line, z.number()]),
      )
      .optional()
      .meta({ description: 'Kernel parameters, kept in /etc/sysctl.d.', example: { 'vm.swappiness': 0 } }),
    services: services.optional().meta({ description: 'systemd units to enable, disable or mask.' }),
    scripts: z.array(script).min(1).optional().meta({ description: 'Scripts to run as root, in order.' }),
    timeout: durationMs.prefault('30m').meta({ description: 'The step fails after this time.', example: '10m' }),
  })
  .refine((value) => stepKinds.filter((kind) => value[kind] !== undefined).length === 1, {
    message: `must have exactly one of ${stepKinds.join(', ')}`,
  });

/** Everything a recipe can say. Types, flags, help, the JSON Schema and the reference page come from here. */
export const recipeSchema = z.strictObject({
  name: line
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/, 'must be letters, digits, dot, _ and -, at most 100 characters')
    .meta({ description: 'The image; output files are named after it. Default: the distro.', example: 'debian-13' }),
  distro: line.meta({ description: 'What to build, as `kvmimg distros` lists it.', example: 'debian-13' }),
  arch: z.enum(arches).default('amd64').meta({ description: 'Processor architecture of the image.' }),
  firmware: z.enum(firmwares).default('bios').meta({
    description: 'Firmware of the machine that builds. The image boots with both.',
  }),
  cpus: z.int().min(1).max(64).default(2).meta({ description: 'Virtual CPUs while building.' }),
  memory: sizeBytes.prefault('2GiB').meta({ description: 'Memory while building.', example: '4GiB' }),
  disk: z
    .strictObject({
      size: sizeBytes
        .prefault('8GiB')
        .meta({ description: 'Size of the disk; the root grows at first boot.', example: '20GiB' }),
    })
    .prefault({})
    .meta({ description: 'The disk.' }),
  hostname: hostName.default('localhost').meta({ description: 'Host name until first-boot data sets another.' }),
  locale: line
    .regex(/^[A-Za-z_]+(\.[A-Za-z0-9-]+)?(@[a-z]+)?$/, 'must be a locale such as C.UTF-8 or de_DE.UTF-8')
    .default('C.UTF-8')
    .meta({ description: 'System locale.', example: 'en_US.UTF-8' }),
  timezone: line
    .regex(/^[A-Za-z0-9_+-]+(\/[A-Za-z0-9_+-]+)*$/, 'must be a time zone such as Etc/UTC')
    .default('Etc/UTC')
    .meta({ description: 'Time zone; the hardware clock is UTC.', example: 'Europe/Berlin' }),
  keyboard: line
    .regex(/^[a-z]{2,}(\([a-z0-9_-]+\))?$/, 'must be an XKB layout such as us')
    .default('us')
    .meta({ description: 'Keyboard layout (XKB).', example: 'de' }),
  packages: z
    .array(packageName)
    .default([])
    .meta({ description: 'Extra packages, installed by the installer.', example: ['curl'] }),
  users: z
    .array(user)
    .default([])
    .meta({ description: 'Users of the image. Default: none; first-boot data adds them.' }),
  mirror: httpUrl
    .optional()
    .meta({ description: "Package mirror to build from. Default: this host's own, then the public one." }),
  securityMirror: httpUrl.optional().meta({ description: 'Mirror of security updates to build from.' }),
  imageMirror: httpUrl.optional().meta({ description: 'Mirror that the image is left with. Default: the public one.' }),
  imageSecurityMirror: httpUrl
    .optional()
    .meta({ description: 'Mirror of security updates that the image is left with.' }),
  proxy: httpUrl.optional().meta({ description: 'HTTP proxy that kvmimg fetches through.' }),
  kernelArguments: z
    .array(line.regex(/^[^\s"]+$/, 'must be one kernel argument without spaces or double quotes'))
    .default([])
    .meta({ description: 'Further kernel arguments of the image.', example: ['nomodeset'] }),
  provision: z.array(step).default([]).meta({ description: 'Steps over SSH after the install, in order.' }),
  formats: z.array(z.enum(formats)).min(1).default(['qcow2']).meta({ description: 'Files to write.' }),
});

/** A recipe with every default filled in; sizes in bytes, durations in milliseconds. */
export type Recipe = z.output<typeof recipeSchema>;
export type Step = Recipe['provision'][number];
export type User = Recipe['users'][number];
