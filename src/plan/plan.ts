import type { Distro, InstallerLock } from '../distro/schema.ts';
import type { Format, Recipe } from '../recipe/schema.ts';
import type { SourceFile } from '../recipe/sources.ts';

export type { SourceFile };

/** The disk's serial number, by which every answer file finds it. */
export const diskSerial = 'kvmimg-root';

/** The user that provisions, made by the answer file and removed by the seal. */
export const buildUserName = 'kvmimg-build';

export const accelChoices = ['auto', 'kvm', 'hvf', 'tcg'] as const;
export type AccelChoice = (typeof accelChoices)[number];

/** Where the packages come from while building, and what the image is left with. */
export interface Mirrors {
  readonly build: string;
  readonly buildSecurity: string;
  readonly image: string;
  readonly imageSecurity: string;
  /** Tried when `build` has dropped a pinned file. */
  readonly archive: string;
  /** Why `build` is what it is: `recipe`, `this host's apt configuration`, `public default`. */
  readonly source: 'recipe' | "this host's apt configuration" | 'public default';
}

export interface PlannedOutput {
  readonly format: Format;
  /** Absolute path of the file. */
  readonly path: string;
}

/** Names of the layers, each the SHA-256 of everything that goes into it. */
export interface LayerKeys {
  readonly install: string;
  /** One a provision step, in order. */
  readonly provision: readonly string[];
  readonly seal: string;
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
  readonly lock: InstallerLock;
  readonly accel: AccelChoice;
  readonly mirrors: Mirrors;
  readonly sources: readonly SourceFile[];
  readonly outputDir: string;
  readonly outputs: readonly PlannedOutput[];
  readonly manifestPath: string;
  readonly force: boolean;
  readonly keepOnFailure: boolean;
  /** False by `--no-cache`: layers of earlier builds are not used. Downloads are, for they are known by digest. */
  readonly reuseLayers: boolean;
  readonly cacheDir: string;
  /** Folders of local media that come before every download (`--media`). */
  readonly mediaDirs: readonly string[];
  readonly offline: boolean;
  readonly layerKeys: LayerKeys;
  /** SHA-256 of the canonical JSON of everything above. */
  readonly digest: string;
}
