import { z } from 'zod';
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
  kernelVersion: z.string(),
  netboot: pinnedFile,
  kernel: mediaMember,
  initrd: mediaMember,
  udebs: z.array(udeb).min(1),
});
export type InstallerLock = z.output<typeof installerLockSchema>;
export type PinnedFile = z.output<typeof pinnedFile>;

/** Facts about one release, as data in `distros/`. A file that is not complete does not load. */
export const distroSchema = z.strictObject({
  id: z.string(),
  title: z.string(),
  family: z.enum(['debian', 'ubuntu', 'redhat', 'photon']),
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
  memoryMinimumBytes: z.int().positive(),
  diskMinimumBytes: z.int().positive(),
  packages: z.array(z.string()),
  ovf: z.strictObject({
    /** CIM operating system id (`ovf:id`). */
    id: z.int(),
    /** VMware guest id (`vmw:osType`). */
    osType: z.string(),
    hardwareVersion: z.int(),
  }),
});
export type Distro = z.output<typeof distroSchema>;
