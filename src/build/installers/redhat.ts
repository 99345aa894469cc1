import { makeInstaller } from './boot-media.ts';
import type { FamilyInstaller } from './family-installer.ts';
import { redhatVoice } from './redhat-voice.ts';

/** Anaconda, from an ISO or a mirror's tree. */
export const redhatInstaller: FamilyInstaller = makeInstaller(redhatVoice);
