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
  /**
   * The digests are those of the signed index, but no server was seen to have all of the files. Then those that cannot
   * be had are an error only when the installer asks for one.
   */
  unproven: z.literal(true).optional(),
});
export type InstallerLock = z.output<typeof installerLockSchema>;
export type PinnedFile = z.output<typeof pinnedFile>;

export const families = ['debian', 'ubuntu', 'redhat', 'photon'] as const;
export type Family = (typeof families)[number];

const url = z.string().regex(/^https?:\/\/[^\s]*[^/\s]$/, 'must be an http:// or https:// URL without a final slash');
const sha512 = z.string().regex(/^[0-9a-f]{128}$/, 'must be a SHA-512 in lower-case hexadecimal');

/** Where the digest of an ISO is found that is not known here: a file of checksums beside it. */
const checksumFile = z.strictObject({
  url,
  /** `inside` is a clear-signed file, `beside` a signature of its own at `signatureUrl`. */
  signature: z.enum(['inside', 'beside', 'none']),
  signatureUrl: url.optional(),
  /** OpenPGP keys that may have signed it, a file in this folder. */
  keyring: z.string().optional(),
});

const isoMedia = z.strictObject({
  /** The name it has in a folder of local media. */
  fileName: z.string().regex(/^[^/\s]+\.iso$/),
  /** The release's URL, then its archive's. None for media that only its customers get. */
  urls: z.array(url),
  sizeBytes: z.int().positive().optional(),
  sha256: sha256.optional(),
  sha512: sha512.optional(),
  checksums: checksumFile.optional(),
  /** Left out where it is made of the day on which the ISO was. */
  volumeId: z.string().min(1).max(32).optional(),
  /** Paths on the ISO. */
  kernel: z.string().startsWith('/'),
  initrd: z.string().startsWith('/'),
});
export type IsoMedia = z.output<typeof isoMedia>;

const mirrors = z.strictObject({
  /** Written into the image, and built from where neither the recipe nor the host names another. */
  public: url,
  publicSecurity: url.optional(),
  /** Keeps what the mirror has dropped. */
  archive: url.optional(),
});

/** Levels of x86-64 that a distribution is compiled for; 1 is every 64-bit processor. */
export const cpuLevels = [1, 2, 3] as const;

const common = {
  id: z.string().regex(/^[a-z][a-z0-9.-]*$/),
  title: z.string(),
  release: z.string(),
  codename: z.string(),
  arches: z.array(z.enum(arches)).min(1),
  /** Level of x86-64 that its amd64 needs: `x86-64-v2` is 2. */
  cpuLevel: z.literal(cpuLevels).default(1),
  memoryMinimum: sizeBytes,
  diskMinimum: sizeBytes,
  /** What an installed system takes at least, on a file system with holes. */
  installedSize: sizeBytes,
  packages: z.array(z.string()),
  /** Packages that only one architecture has: kernel and boot loader. */
  archPackages: z.partialRecord(z.enum(arches), z.array(z.string())),
  /** For the installer's kernel, beyond what its family always gets. */
  kernelArguments: z.array(z.string()).default([]),
  ovf: z.strictObject({
    /** CIM operating system id (`ovf:id`). */
    id: z.int(),
    /** VMware guest id (`vmw:osType`). */
    osType: z.string(),
    hardwareVersion: z.int(),
  }),
};

const debianDistro = z.strictObject({
  ...common,
  family: z.literal('debian'),
  /** The installer lock beside this file, by architecture. */
  installerLocks: z.partialRecord(z.enum(arches), z.string()),
  /**
   * Udebs of the lock that an install into one ext4 root does not load, each of which costs a second under emulation;
   * skipped-udebs.ts gives back what LVM and XFS need.
   */
  skipUdebs: z.array(z.string()).default([]),
  /** Names that debootstrap asks the package index about. A list that is out of date costs time, nothing else. */
  basePackages: z.array(z.string()).default([]),
  mirrors: mirrors.required().extend({ keyring: z.string() }),
});

const ubuntuDistro = z.strictObject({
  ...common,
  family: z.literal('ubuntu'),
  iso: z.partialRecord(z.enum(arches), isoMedia),
  /** The kernel that the image gets, as a package that follows its updates. */
  kernelPackage: z.string(),
  /** Sections of the answer file that the installer of this release knows and an earlier one does not. */
  autoinstall: z.record(z.string(), z.record(z.string(), z.union([z.string(), z.number(), z.boolean()]))).default({}),
  /** `byArch` for architectures that have servers of their own (ports). */
  mirrors: mirrors.extend({ byArch: z.partialRecord(z.enum(arches), mirrors).default({}) }),
});

/** Command sets of Anaconda, as pykickstart names them. */
export const kickstartVersions = ['RHEL9', 'RHEL10', 'F43', 'F44'] as const;

const redhatDistro = z.strictObject({
  ...common,
  family: z.literal('redhat'),
  kickstartVersion: z.enum(kickstartVersions),
  iso: z.partialRecord(z.enum(arches), isoMedia).default({}),
  /**
   * Package repositories below the mirror; `{arch}` stands for `x86_64` or `aarch64`. The first is the installation tree
   * with `.treeinfo`, kernel and initrd. On an ISO they lie at `isoPath`, if they are there.
   */
  repositories: z
    .array(z.strictObject({ id: z.string(), path: z.string(), isoPath: z.string().startsWith('/').optional() }))
    .min(1),
  mirrors,
  /** Whether the first of the repositories is an installation tree; else it is installed from its ISO only. */
  hasTree: z.boolean().default(true),
  /** Its repositories are for subscribers alone, so that it is installed from its customer's ISO only. */
  subscription: z.boolean().default(false),
});

const photonDistro = z.strictObject({
  ...common,
  family: z.literal('photon'),
  iso: z.partialRecord(z.enum(arches), isoMedia),
  /** Installed from the mirror after what the ISO has, which `packages` are. */
  mirrorPackages: z.array(z.string()).default([]),
  /** Package repositories below the mirror, as for the redhat family. */
  repositories: z.array(z.strictObject({ id: z.string(), path: z.string() })).min(1),
  mirrors,
});

/**
 * Facts about one release, as data in `distros/<id>.yaml`, which explains each of them. A file that is not complete
 * does not load. Sizes are bytes once loaded.
 */
export const distroSchema = z.discriminatedUnion('family', [debianDistro, ubuntuDistro, redhatDistro, photonDistro]);
export type Distro = z.output<typeof distroSchema>;
/** The facts about a distro of one family. */
export type DistroOf<F extends Family> = Extract<Distro, { readonly family: F }>;
