import type { Family } from '../../distro/schema.ts';
import { debianInstaller } from './debian.ts';
import type { FamilyInstaller } from './family-installer.ts';

/** How each family is installed. */
export const installers: Readonly<Record<Family, FamilyInstaller>> = {
  debian: debianInstaller,
  ubuntu: debianInstaller,
  redhat: debianInstaller,
  photon: debianInstaller,
};
