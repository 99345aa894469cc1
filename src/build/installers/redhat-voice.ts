import { KvmimgError } from '../../errors.ts';
import type { InstallerCallback, InstallerMessage, InstallerVoice } from './installer-voice.ts';
import { readRedhatActivity } from './redhat-progress.ts';

interface Failure {
  readonly pattern: RegExp;
  readonly code: string;
  /** `$1` and so on are the groups of the pattern. */
  readonly message: string;
  readonly hint: string;
}

const showsWhy = 'Its log shows why: see the last lines.';
const template = 'The template of the answer file is kickstart/redhat.ks.';
const seeConsole = 'See the lines above it on the console.';

/** What dracut says before stage 2 is there, and the kernel before that. */
const bootFailures: readonly Failure[] = [
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
  {
    pattern: /Kernel panic - not syncing: (.*)/,
    code: 'installer-panic',
    message: "The installer's kernel panicked: $1",
    hint: seeConsole,
  },
];

/** Of Anaconda itself. It prints the reason first, so that the lines above it belong to it. */
const consoleFailures: readonly Failure[] = [
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
const reasons: readonly Failure[] = [
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
const logFailures: readonly Failure[] = [
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
const evidenceLines = 20;

function findFailure({ text }: InstallerMessage): KvmimgError | undefined {
  return findIn(logFailures, text);
}

function findSerialFailure(line: string, before: readonly string[]): KvmimgError | undefined {
  const said = [...before.filter((earlier) => earlier.trim() !== '').slice(-evidenceLines), line];
  if (terminates.test(line)) return findIn(reasons, said.join('\n'), said);
  return findIn([...bootFailures, ...consoleFailures], line, said);
}

function findIn(failures: readonly Failure[], text: string, said?: readonly string[]): KvmimgError | undefined {
  for (const { pattern, code, message, hint } of failures) {
    const found = pattern.exec(text);
    if (!found) continue;
    return new KvmimgError({
      code,
      message: message.replace(/\$(\d)/g, (_, group: string) => found[Number(group)] ?? '').trimEnd(),
      hint,
      ...(said === undefined ? {} : { evidence: [{ title: 'What the installer says', lines: said }] }),
    });
  }
  return undefined;
}

/** `callback/log/NAME` is a piece of a log; its lines begin with a time, a level and who says it. */
function readCallback({ name, body }: InstallerCallback): readonly InstallerMessage[] {
  const tag = /^log\/([\w.-]+)$/.exec(name)?.[1];
  if (tag === undefined) return [];
  const lines = body.split('\n').filter((line) => line.trim() !== '');
  return lines.map((line) => ({ tag, text: line.replace(/^\d\d:\d\d:\d\d,\d+ /, '') }));
}

function findCallbackFailure({ name }: InstallerCallback): KvmimgError | undefined {
  const status = /^post-end\/(\d+)$/.exec(name)?.[1];
  if (status !== undefined && status !== '0') {
    return new KvmimgError({
      code: 'installer-script',
      message: `The post script of the answer file failed in the guest with exit code ${status}.`,
      hint: "Its commands and their output are the last lines of the installer's log. The script is kickstart/post.sh.",
    });
  }
  if (name !== 'onerror' && name !== 'traceback') return undefined;
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
  readCallback,
  findCallbackFailure,
  saysLast: 'onerror',
  isIdleLine,
};
