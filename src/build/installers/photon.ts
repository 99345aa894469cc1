import { makeInstaller } from './boot-media.ts';
import type { FamilyInstaller } from './family-installer.ts';
import { photonVoice } from './photon-voice.ts';

/** Photon's installer, from its ISO. */
export const photonInstaller: FamilyInstaller = makeInstaller(photonVoice);
