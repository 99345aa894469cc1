import type { Family } from '../distro/schema.ts';
import { debianWriter } from './debian.ts';
import { photonWriter } from './photon.ts';
import { redhatWriter } from './redhat.ts';
import { ubuntuWriter } from './ubuntu.ts';
import type { AnswerFileWriter } from './writer.ts';

/** Who writes the answer files of each family. */
export const writers: Readonly<Record<Family, AnswerFileWriter>> = {
  debian: debianWriter,
  ubuntu: ubuntuWriter,
  redhat: redhatWriter,
  photon: photonWriter,
};
