import { z } from 'zod';
import { sizeBytes } from './quantities.ts';
import { absolutePath, httpUrl, line } from './values.ts';

export const diskLayouts = ['single', 'separate', 'lvm'] as const;
export type LayoutName = (typeof diskLayouts)[number];
export const filesystems = ['ext4', 'xfs'] as const;
export type Filesystem = (typeof filesystems)[number];

const mebibyte = 2 ** 20;
/** What a sparse VMDK can hold. */
export const diskSizeLimitBytes = 2 ** 41 - mebibyte;

const wholeMebibytes = sizeBytes.refine((bytes) => bytes % mebibyte === 0, { error: 'must be a multiple of 1 MiB' });
const mountPoint = absolutePath.regex(/^[A-Za-z0-9/_-]+$/, 'must be a path of letters, digits, /, _ and -');

const volume = z.strictObject({
  path: mountPoint.meta({ description: 'Where it is mounted.', example: '/var/log' }),
  size: wholeMebibytes.meta({ description: 'Its size.', example: '2GiB' }),
});

export const disk = z.strictObject({
  layout: z.enum(diskLayouts).default('single').meta({
    description:
      'All in one root file system; `volumes` as partitions of their own before it; or root and volumes in LVM. The root is last and grows.',
  }),
  filesystem: z.enum(filesystems).default('ext4').meta({ description: 'File system of root and volumes.' }),
  volumes: z.array(volume).optional().meta({
    description:
      'File systems of their own, for the layouts `separate` and `lvm`. Default: /home 512MiB, /var 2GiB, /var/log 1GiB.',
  }),
  swap: wholeMebibytes.optional().meta({ description: 'Size of a swap partition. Default: none.', example: '1GiB' }),
  size: wholeMebibytes
    .refine((bytes) => bytes <= diskSizeLimitBytes, { error: 'must be less than 2 TiB, the most that a VMDK holds' })
    .optional()
    .meta({
      description:
        'Size of the disk; the root grows at first boot when the disk is larger. Default: 8GiB, or what the distro and the volumes need.',
      example: '20GiB',
    }),
});

const ipAddress = z.union([z.ipv4(), z.ipv6()], { error: 'must be an IP address' });

/** Sizes for nodes: logs cannot fill what the system writes, and homes neither. */
const defaultVolumes = [
  { path: '/home', size: 512 * mebibyte },
  { path: '/var', size: 2048 * mebibyte },
  { path: '/var/log', size: 1024 * mebibyte },
] as const;

/** The file systems beside the root; sizes in bytes. */
export function makeVolumes({
  layout,
  volumes = defaultVolumes,
}: {
  readonly layout: LayoutName;
  readonly volumes?: readonly z.output<typeof volume>[] | undefined;
}): readonly z.output<typeof volume>[] {
  return layout === 'single' ? [] : volumes;
}

export const staticNetwork = z.strictObject({
  address: z
    .cidrv4({ error: 'must be an IPv4 address with its prefix length, such as 192.0.2.10/24' })
    .meta({ description: 'Address and prefix length of the first Ethernet device.', example: '192.0.2.10/24' }),
  gateway: z.ipv4({ error: 'must be an IPv4 address' }).meta({ description: 'The router.', example: '192.0.2.1' }),
  nameservers: z
    .array(ipAddress)
    .default([])
    .meta({ description: 'Name servers.', example: ['192.0.2.53'] }),
  search: z
    .array(line.regex(/^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$/, 'must be a domain'))
    .default([])
    .meta({ description: 'Domains to search.', example: ['example.org'] }),
});

/** As apt, dnf and tdnf take it. */
export const publicKeyWanted = 'must be an OpenPGP public key in ASCII armour; `gpg --armor --export` makes one';

export function isPublicKey(text: string): boolean {
  return text.includes('-----BEGIN PGP PUBLIC KEY BLOCK-----') && !text.includes('PRIVATE KEY');
}

export const repository = z
  .strictObject({
    name: line
      .regex(/^[a-z0-9][a-z0-9-]{0,40}$/, 'must be a-z, 0-9 and -, at most 41 characters')
      .meta({ description: 'Names its file in the image.', example: 'example' }),
    url: httpUrl.meta({ description: 'Where the repository is.', example: 'https://repo.example.org/apt' }),
    suite: line
      .regex(
        /^(?=.)(?:\.?\/)?(?:[A-Za-z0-9][A-Za-z0-9._-]*(?:\/[A-Za-z0-9][A-Za-z0-9._-]*)*\/?)?$/,
        'must be the suite of an apt repository',
      )
      // apt asks for what it is given, and a mirror has nothing at `/./InRelease` or `//x/InRelease`.
      .overwrite((suite) => suite.replace(/^\.\//, '/').replace(/^\/(?=.)/, ''))
      .optional()
      .meta({
        description:
          'Suite of an apt repository; `/` or a folder with a slash at its end for one without suites. Default: the codename.',
        example: 'stable',
      }),
    components: z
      .array(line.regex(/^[A-Za-z0-9][A-Za-z0-9._/-]*$/, 'must be a component of an apt repository'))
      .default(['main'])
      .meta({ description: 'Components of an apt repository.', example: ['main'] }),
    key: z
      .string()
      .refine(isPublicKey, publicKeyWanted)
      .optional()
      .meta({ description: 'Its OpenPGP public key, ASCII-armoured.' }),
    keySource: line.min(1).optional().meta({ description: 'A file on this machine with the key.' }),
  })
  .refine((value) => (value.key === undefined) !== (value.keySource === undefined), {
    error: 'must have exactly one of key and keySource: packages without a signature are not installed',
  });

/** A path, a `file:` URL, or an address without a secret in it: it is told in plans and errors. */
const isoPlace = z.union([httpUrl, line.min(1).regex(/^(?!https?:)/)], {
  error: 'must be a path, or a plain http:// or https:// URL, with no user name, password or query',
});

export const installer = z
  .strictObject({
    iso: isoPlace.optional().meta({
      description: "The installer's ISO: a path (in a recipe relative to it), or a URL. Default: the distro's own.",
      example: 'ubuntu-22.04.5-live-server-amd64.iso',
      flag: '--iso <path or url>',
      file: true,
    }),
    sha256: z
      .string()
      .regex(/^[0-9a-f]{64}$/, 'must be a SHA-256 in lower-case hexadecimal')
      .optional()
      .meta({ description: 'SHA-256 of the ISO; required of one that is fetched by URL.' }),
    from: z.enum(['iso', 'tree']).optional().meta({
      description: "Where the installer comes from, for families that know both: an ISO, or a mirror's tree.",
    }),
  })
  .refine((value) => value.iso === undefined || value.from !== 'tree', {
    error: 'cannot have an iso and come from a tree',
  });
