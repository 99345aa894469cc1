import type { Family } from '../../distro/schema.ts';
import type { Plan } from '../../plan/plan.ts';
import type { GuestAction } from '../elements.ts';
import { apt } from './apt.ts';
import { dnf, tdnf } from './dnf.ts';

/** Who wrote the package sources that a guest has: its installer or the maker of a base image, or an earlier boot of a build. */
export type SourcesOf = 'installer' | 'image' | 'build';

/** What a guest's package manager is told. Scripts are for `/bin/sh`, run as root. */
export interface PackageManager {
  /** Reads the index and installs, without asking and without what is only recommended. */
  readonly install: (packages: readonly string[]) => GuestAction[];
  /** Succeeds if the package of this name is installed. */
  readonly checkInstalled: (name: string) => readonly string[];
  /** Succeeds if every package is whole. */
  readonly checkDatabase: readonly string[];
  /** A line `NAME<tab>VERSION<tab>ARCH` for each package. */
  readonly list: readonly string[];
  /**
   * Makes the guest take packages from this build's mirrors, at `root` (`http://10.0.2.2:PORT/TOKEN`). What it has read
   * of them in an earlier boot, at another address, stays good.
   */
  readonly pointAtBuild: (plan: Plan, root: string, sourcesOf: SourcesOf) => string;
  /** Leaves the image with its public sources and none of the build's, and with no index and no downloads. */
  readonly leavePublic: (plan: Plan) => string;
}

/** The package manager of each family. */
export const packageManagers: Readonly<Record<Family, PackageManager>> = {
  debian: apt,
  ubuntu: apt,
  redhat: dnf,
  photon: tdnf,
};
