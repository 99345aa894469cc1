import type { Family } from '../../distro/schema.ts';
import { debianInstaller } from './debian.ts';
import type { FamilyInstaller } from './family-installer.ts';
import { photonInstaller } from './photon.ts';
import { redhatInstaller } from './redhat.ts';
import { ubuntuInstaller } from './ubuntu.ts';

/** How each family is installed. */
export const installers: Readonly<Record<Family, FamilyInstaller>> = {
  debian: debianInstaller,
  ubuntu: ubuntuInstaller,
  redhat: redhatInstaller,
  photon: photonInstaller,
};
