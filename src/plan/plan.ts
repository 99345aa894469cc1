import type { Distro, InstallerLock } from '../distro/schema.ts';
import type { Format, Recipe } from '../recipe/schema.ts';

/** The disk's serial number, by which every answer file finds it. */
export const diskSerial = 'kvmimg-root';

export type AccelChoice = 'auto' | 'kvm' | 'hvf' | 'tcg';

/** Where the packages come from while building, and what the image is left with. */
export interface Mirrors {
  readonly build: string;
  readonly buildSecurity: string;
  readonly image: string;
  readonly imageSecurity: string;
  /** Tried when `build` has dropped a pinned file. */
  readonly archive: string;
  /** Why `build` is what it is: `recipe`, `this host's apt configuration`, `public default`. */
  readonly source: string;
}

export interface PlannedOutput {
  readonly format: Format;
  /** Absolute path of the file. */
  readonly path: string;
}

/** A file or script of the user's, read while planning so that its content is part of the plan. */
export interface SourceFile {
  /** As written in the recipe. */
  readonly source: string;
  /** Absolute path on this machine. */
  readonly path: string;
  readonly sha256: string;
  readonly sizeBytes: number;
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
  readonly cacheDir: string;
  /** Folders of local media that come before every download (`--media`). */
  readonly mediaDirs: readonly string[];
  readonly offline: boolean;
  readonly layerKeys: LayerKeys;
  /** SHA-256 of the canonical JSON of everything above. */
  readonly digest: string;
}
