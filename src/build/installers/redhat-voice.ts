import { KvmimgError } from '../../errors.ts';
import type { InstallerCallback, InstallerMessage, InstallerVoice } from './installer-voice.ts';
import { findKnownFailure, findScriptFailure, type KnownFailure, readLog, saidWith } from './known-failures.ts';
import { readRedhatActivity } from './redhat-progress.ts';

const showsWhy = 'Its log shows why: see the last lines.';
const template = 'The template of the answer file is kickstart/redhat.ks.';
const seeConsole = 'See the lines above it on the console.';

/** What dracut says before stage 2 is there, and the kernel before that; of a panic the machine tells itself. */
const bootFailures: readonly KnownFailure[] = [
  {
    pattern: /CPU does not support x86-64-v(\d)/,
    code: 'installer-cpu',
    message: 'The processor of the virtual machine is too old for this distribution, which needs x86-64-v$1.',
    hint: 'Build on a host with a newer processor, or emulate one with --accel tcg.',
  },
  {
    pattern: /anaconda: failed to fetch kickstart from (\S+)/,
    code: 'installer-answer-file',
    message: 'The installer could not fetch its answer file.',
    hint: 'See the requests of the guest: kvmimg serves it itself, so the guest has no network.',
  },
  {
    pattern: /anaconda: failed to fetch stage2 from \S*\/packages\/(\S+)/,
    code: 'installer-stage2',
    message: 'The installer could not fetch its second stage (images/install.img) from $1 on the mirror.',
    hint: 'Name another mirror with --mirror, or install from an ISO with --iso.',
  },
  {
    pattern: /no suitable images/,
    code: 'installer-stage2',
    message: 'The installer found no second stage (images/install.img) on its ISO.',
    hint: 'The ISO must be one that installs: a DVD, not one of sources or of a live system.',
  },
  {
    pattern: /Entering emergency mode/,
    code: 'installer-boot',
    message: 'The installer did not find what it boots from, and has stopped in an emergency shell.',
    hint: seeConsole,
  },
];

/** Of Anaconda itself. It prints the reason first, so that the lines above it belong to it. */
const consoleFailures: readonly KnownFailure[] = [
  {
    pattern: /Please make a selection from the above|Please respond '?yes'? or '?no'?|Press ENTER to quit/,
    code: 'installer-question',
    message: 'The installer has stopped to ask a question on the console that the answer file does not answer.',
    hint: `Add the answer to the kickstart file, or correct the value that it refuses. ${template}`,
  },
  {
    pattern: /An unknown error has occurr?ed/,
    code: 'installer-error',
    message: 'The installer failed with an error of its own.',
    hint: showsWhy,
  },
  {
    pattern: /Non interactive installation failed: (.*)/,
    code: 'installer-error',
    message: 'The installer failed: $1',
    hint: showsWhy,
  },
  {
    pattern: /Failed to start .*anaconda installation program/i,
    code: 'installer-error',
    message: 'The installer did not start.',
    hint: seeConsole,
  },
  {
    pattern: /Pane is dead/,
    code: 'installer-error',
    message: 'The installer has ended before its time.',
    hint: seeConsole,
  },
];

/** What stands above `The installer will now terminate.`, and which failure it is. */
const reasons: readonly KnownFailure[] = [
  {
    pattern: /reading the kickstart file/,
    code: 'installer-answer-file',
    message: 'The installer refuses its answer file.',
    hint: `What it says of it is below. ${template}`,
  },
  {
    pattern: /incomplete spokes detected/,
    code: 'installer-question',
    message: 'The answer file leaves open what the installer must know.',
    hint: `Add the answer to the kickstart file. ${template}`,
  },
  {
    pattern: /running the kickstart script at line (\d+)/,
    code: 'installer-script',
    message: 'The script at line $1 of the answer file failed.',
    hint: `Its output is below. ${template}`,
  },
  {
    pattern: /^/,
    code: 'installer-error',
    message: 'The installer ended with an error.',
    hint: 'What it says of it is below.',
  },
];

/** Messages of its log that end an install. */
const logFailures: readonly KnownFailure[] = [
  {
    pattern: /The following problem occurred on line (\d+) of the kickstart file/,
    code: 'installer-answer-file',
    message: 'The installer refuses line $1 of its answer file.',
    hint: `${showsWhy} ${template}`,
  },
  {
    pattern: /There was an error running the kickstart script at line (\d+)/,
    code: 'installer-script',
    message: 'The script at line $1 of the answer file failed.',
    hint: `${showsWhy} ${template}`,
  },
  {
    pattern: /CmdlineError: (.*)/,
    code: 'installer-question',
    message: 'The answer file leaves open what the installer must know: $1',
    hint: `Add the answer to the kickstart file. ${template}`,
  },
  {
    pattern: /Non interactive installation failed: (.*)/,
    code: 'installer-error',
    message: 'The installer failed: $1',
    hint: showsWhy,
  },
];

const terminates = /The installer will now terminate/;

function findFailure({ text }: InstallerMessage): KvmimgError | undefined {
  return findKnownFailure(logFailures, text);
}

function findSerialFailure(line: string, before: readonly string[]): KvmimgError | undefined {
  const said = saidWith(line, before);
  if (terminates.test(line)) return findKnownFailure(reasons, said.join('\n'), said);
  return findKnownFailure([...bootFailures, ...consoleFailures], line, said);
}

function findCallbackFailure(callback: InstallerCallback): KvmimgError | undefined {
  const ofScript = findScriptFailure(callback, 'kickstart');
  if (ofScript || !['onerror', 'traceback'].includes(callback.name)) return ofScript;
  return new KvmimgError({ code: 'installer-error', message: 'The installer failed.', hint: showsWhy });
}

/** Dots while it waits for its own threads, and the status line of tmux. */
function isIdleLine(line: string): boolean {
  return /^[\s.]*$/.test(line) || /^\[anaconda\].*\d:main/.test(line) || /Switch tab: Alt\+Tab/.test(line);
}

/** How Anaconda speaks. */
export const redhatVoice: InstallerVoice = {
  readActivity: readRedhatActivity,
  findFailure,
  findSerialFailure,
  // Their lines begin with a time, a level and who says it.
  readCallback: (callback) => readLog(callback, /^\d\d:\d\d:\d\d,\d+ /),
  findCallbackFailure,
  saysLast: 'onerror',
  isIdleLine,
};
