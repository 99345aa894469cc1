import { makeInstaller } from './boot-media.ts';
import type { FamilyInstaller } from './family-installer.ts';
import { ubuntuVoice } from './ubuntu-voice.ts';

/** Ubuntu's live server: kernel and initrd of the ISO, which finds the rest of itself in the CD-ROM drive. */
export const ubuntuInstaller: FamilyInstaller = makeInstaller(ubuntuVoice);
