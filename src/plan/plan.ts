import type { Distro, InstallerLock, IsoMedia } from '../distro/schema.ts';
import type { Format, Recipe } from '../recipe/schema.ts';
import type { SourceFile } from '../recipe/sources.ts';

export type { SourceFile };

/** The disk's serial number, by which every answer file finds it. */
export const diskSerial = 'kvmimg-root';

/** The user that provisions, made by the answer file and removed by the seal. */
export const buildUserName = 'kvmimg-build';

/** The suite of Debian's pinned udebs, beside the distribution's own on the same mirror. */
export const udebSuite = 'kvmimg';

export const accelChoices = ['auto', 'kvm', 'hvf', 'tcg'] as const;
export type AccelChoice = (typeof accelChoices)[number];

/** Where the packages come from while building, and what the image is left with. */
export interface Mirrors {
  readonly build: string;
  readonly buildSecurity: string;
  readonly image: string;
  readonly imageSecurity: string;
  /** Tried when `build` has dropped a file that is known by its digest. */
  readonly archive?: string;
  /** Why `build` is what it is: `recipe`, `this host's apt configuration`, `public default`. */
  readonly source: 'recipe' | "this host's apt configuration" | 'public default';
}

/** What the installer is started from. */
export type PlannedMedia =
  /** Debian's netboot image and udebs, each by its digest. */
  | { readonly kind: 'netboot'; readonly lock: InstallerLock }
  | { readonly kind: 'iso'; readonly iso: PlannedIso }
  /** A tree on a mirror: its `.treeinfo` names kernel and initrd with their digests. `path` is below the mirror. */
  | { readonly kind: 'tree'; readonly path: string };

/** The distro's ISO, or the user's: then `path` (absolute) or `urls` is what the user said. */
export type PlannedIso = Omit<IsoMedia, 'volumeId'> & {
  readonly path?: string;
  /** Of the user's own ISO it is read from the file. */
  readonly volumeId?: string | undefined;
};

export interface PlannedOutput {
  readonly format: Format;
  /** Absolute path of the file. */
  readonly path: string;
}

/** The phases that have a result, in order. */
export const layerPhases = ['install', 'provision', 'seal', 'verify', 'export'] as const;
export type LayerPhase = (typeof layerPhases)[number];

/** What one layer of provisioning does. */
export type ProvisionPart =
  | { readonly kind: 'users' }
  | { readonly kind: 'step'; readonly index: number }
  | { readonly kind: 'groups' };

/** A result that the build makes, or takes from an earlier one. */
export interface PlannedLayer {
  readonly phase: LayerPhase;
  /** `install`, `provision[0] (packages jq)`, `export ova`. */
  readonly title: string;
  /** SHA-256 of everything that the phase reads, its parent's key included. */
  readonly key: string;
  readonly parentKey?: string;
  /** Of provisioning: what is done. */
  readonly part?: ProvisionPart;
  /** Of an export. */
  readonly format?: Format;
  /** Its result depends on the day, for the mirror moves on. */
  readonly readsMirror: boolean;
  /** What went into the key, as short texts by name: to explain why a layer of before is not used. */
  readonly inputs: Readonly<Record<string, string>>;
}

/** `use` layers of earlier builds, `refresh` those that have read the mirror, `ignore` them all. */
export type CacheUse = 'use' | 'refresh' | 'ignore';

/** Phases by the user's choice. */
export interface PhaseChoice {
  /** This phase and what follows run, whatever there is of them. */
  readonly from?: LayerPhase;
  /** The build ends after this phase. */
  readonly until?: LayerPhase;
  /** Only this phase runs; what it stands on must be there. */
  readonly only?: LayerPhase;
}

/**
 * The complete description of one build. What runs reads this and nothing else; `kvmimg plan --json` prints it.
 * It holds no secret and nothing that changes from run to run: keys, ports and tokens are made by the build.
 */
export interface Plan {
  readonly planVersion: 1;
  readonly name: string;
  readonly recipe: Recipe;
  readonly distro: Distro;
  readonly media: PlannedMedia;
  readonly accel: AccelChoice;
  readonly mirrors: Mirrors;
  readonly sources: readonly SourceFile[];
  readonly outputDir: string;
  readonly outputs: readonly PlannedOutput[];
  readonly manifestPath: string;
  readonly force: boolean;
  readonly keepOnFailure: boolean;
  /** About layers; downloads are known by digest and always used. */
  readonly cache: CacheUse;
  readonly phases: PhaseChoice;
  readonly cacheDir: string;
  /** Folders of local media that come before every download (`--media`). */
  readonly mediaDirs: readonly string[];
  readonly offline: boolean;
  /** In the order in which they are made; those after the last phase that was asked for are left out. */
  readonly layers: readonly PlannedLayer[];
  /** SHA-256 of the canonical JSON of everything above. */
  readonly digest: string;
}
