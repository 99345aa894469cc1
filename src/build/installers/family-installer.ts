import { type Answer, loadAnswer } from '../../answer-file/load-answer.ts';
import type { RunFacts } from '../../answer-file/run-facts.ts';
import type { AnswerFiles } from '../../answer-file/writer.ts';
import type { SshKeyPair } from '../../guest/ssh-keys.ts';
import { tcgKernelArguments } from '../../machine/machine-spec.ts';
import type { DigestedFile } from '../../media/digest.ts';
import type { FetchOptions } from '../../media/pinned-file.ts';
import type { BuildRun } from '../build-run.ts';
import { checkUnchanged } from '../sources.ts';
import type { InstallerVoice } from './installer-voice.ts';

/** The keys that live as long as one install layer. */
export interface BuildKeys {
  readonly user: SshKeyPair;
  readonly host: SshKeyPair;
}

/** What the machine that installs boots with, and what its guest finds. */
export interface InstallBoot {
  readonly kernelPath: string;
  readonly initrdPath: string;
  readonly kernelArguments: readonly string[];
  /** ISOs in CD-ROM drives, read-only. */
  readonly cdroms?: readonly string[];
  /** The answer files, served below `seed/`. */
  readonly files: AnswerFiles;
  /** What the mirrors seem to hold, by path below the guest's root: content, or the path of a file on this machine. */
  readonly local?: ReadonlyMap<string, Uint8Array | string>;
}

/** Boot media, all of it on this machine. */
export interface FetchedMedia {
  /** What the install stands on, as far as it came from no mirror of packages. */
  readonly files: readonly DigestedFile[];
  /** Makes a boot of one run. */
  readonly makeBoot: (keys: BuildKeys) => Promise<InstallBoot>;
}

/** How a family's distributions are installed. */
export interface FamilyInstaller {
  readonly voice: InstallerVoice;
  /**
   * Fetches the boot media, each file checked by its digest.
   *
   * @throws KvmimgError of what cannot be fetched.
   */
  readonly fetchMedia: (run: BuildRun, options: FetchOptions) => Promise<FetchedMedia>;
}

export function makeRunFacts({ services }: Pick<BuildRun, 'services'>, keys: BuildKeys): RunFacts {
  return {
    guestRoot: services.guestRoot,
    syslogPort: services.syslogPort,
    buildUserKey: keys.user.publicKey,
    hostKey: keys.host,
  };
}

/** The answer of a run. @throws KvmimgError `source-changed` when a file of the user's is not what was planned. */
export async function makeAnswer(run: Pick<BuildRun, 'plan' | 'decision'>, facts: RunFacts): Promise<Answer> {
  const { plan } = run;
  const { answerFile, repositories } = plan.recipe;
  const read = [answerFile, ...repositories.map(({ keySource }) => keySource)];
  const files = plan.sources.filter(({ source }) => read.includes(source));
  await Promise.all(files.map(({ path }) => checkUnchanged(plan, path)));
  return loadAnswer(plan, facts, machineArgumentsOf(run));
}

/** For this machine's kernel only, not for the image. */
function machineArgumentsOf({ decision }: Pick<BuildRun, 'decision'>): readonly string[] {
  return decision.accel === 'tcg' ? tcgKernelArguments : [];
}
