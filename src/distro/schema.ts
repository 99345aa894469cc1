import { z } from 'zod';
import { sizeBytes } from '../recipe/quantities.ts';
import { arches } from '../recipe/schema.ts';

const sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'must be a SHA-256 in lower-case hexadecimal');
const poolPath = z.string().regex(/^[a-z][^\s]*[^/\s]$/, 'must be a path below the mirror');

/** A file of the installer, known by its digest; `path` is below the mirror (`pool/main/...`). */
const pinnedFile = z.strictObject({ path: poolPath, sizeBytes: z.int().positive(), sha256 });

const mediaMember = z.strictObject({ member: z.string(), sizeBytes: z.int().positive(), sha256 });

/** One udeb of the lock: its control fields as the index gives them, in order, and where it is. */
const udeb = z.strictObject({
  package: z.string(),
  version: z.string(),
  file: pinnedFile,
  /** The further fields of the stanza (Depends, Provides, Priority, Kernel-Version...), verbatim. */
  fields: z.record(z.string(), z.string()),
});

/**
 * An installer pinned by digest: a netboot image inside a .deb, and the udebs that belong to its kernel. A set pinned
 * like this goes on working when the mirror moves to the next point release.
 */
export const installerLockSchema = z.strictObject({
  lockVersion: z.literal(1),
  distro: z.string(),
  arch: z.enum(arches),
  suite: z.string(),
  /** Point release that the set comes from, such as `13.6`. */
  release: z.string(),
  /** A time at which the distribution's snapshot archive had the whole set, as its URLs write it: `20260901T000000Z`. */
  snapshot: z
    .string()
    .regex(/^\d{8}T\d{6}Z$/, 'must be a time such as 20260901T000000Z')
    .optional(),
  kernelVersion: z.string(),
  netboot: pinnedFile,
  kernel: mediaMember,
  initrd: mediaMember,
  udebs: z.array(udeb).min(1),
});
export type InstallerLock = z.output<typeof installerLockSchema>;
export type PinnedFile = z.output<typeof pinnedFile>;

export const families = ['debian', 'ubuntu', 'redhat', 'photon'] as const;

/**
 * Facts about one release, as data in `distros/<id>.yaml`, which explains each of them. A file that is not complete
 * does not load. Sizes are bytes once loaded.
 */
export const distroSchema = z.strictObject({
  id: z.string().regex(/^[a-z][a-z0-9.-]*$/),
  title: z.string(),
  family: z.enum(families),
  release: z.string(),
  codename: z.string(),
  arches: z.array(z.enum(arches)).min(1),
  /** The installer lock beside this file, by architecture. */
  installerLocks: z.partialRecord(z.enum(arches), z.string()),
  /** Udebs of the lock that an image never needs; each costs a second under emulation. */
  skipUdebs: z.array(z.string()).default([]),
  mirrors: z.strictObject({
    /** Written into the image, and built from where neither the recipe nor the host names another. */
    public: z.string(),
    publicSecurity: z.string(),
    /** Keeps what the mirror has dropped. */
    archive: z.string(),
    keyring: z.string(),
  }),
  memoryMinimum: sizeBytes,
  diskMinimum: sizeBytes,
  /** What an installed system takes at least, on a file system with holes. */
  installedSize: sizeBytes,
  /** Names that debootstrap asks the package index about. A list that is out of date costs time, nothing else. */
  basePackages: z.array(z.string()).default([]),
  packages: z.array(z.string()),
  /** Packages that only one architecture has: kernel and boot loader. */
  archPackages: z.partialRecord(z.enum(arches), z.array(z.string())),
  ovf: z.strictObject({
    /** CIM operating system id (`ovf:id`). */
    id: z.int(),
    /** VMware guest id (`vmw:osType`). */
    osType: z.string(),
    hardwareVersion: z.int(),
  }),
});
export type Distro = z.output<typeof distroSchema>;
