import { KvmimgError } from '../../errors.ts';
import type { InstallerCallback, InstallerMessage, InstallerVoice } from './installer-voice.ts';

/** Points of an install that its scripts tell, and how far it is then: a judgement, for no install was measured yet. */
const points: Readonly<Record<string, { readonly activity: string; readonly fraction: number }>> = {
  early: { activity: 'partitioning and installing packages', fraction: 0.1 },
  postinstall: { activity: 'updating, and setting the system up', fraction: 0.5 },
  'postinstall-end/0': { activity: 'unmounting', fraction: 0.95 },
};

/** Who tells of a point. */
const pointTag = 'photon';

function readActivity({ tag, text }: InstallerMessage): { activity: string; fraction?: number } | undefined {
  if (tag === pointTag) return points[text];
  const module = /^Executing: m_(\w+)/.exec(text)?.[1];
  return module === undefined ? undefined : { activity: `running its step ${module}` };
}

/** `callback/log/NAME` is a piece of a log, whose lines begin with the time. */
function readCallback({ name, body }: InstallerCallback): readonly InstallerMessage[] {
  if (Object.hasOwn(points, name)) return [{ tag: pointTag, text: name }];
  const tag = /^log\/([\w.-]+)$/.exec(name)?.[1];
  if (tag === undefined) return [];
  const lines = body.split('\n').filter((line) => line.trim() !== '');
  return lines.map((line) => ({ tag, text: line.replace(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d+ - /, '') }));
}

function findCallbackFailure({ name }: InstallerCallback): KvmimgError | undefined {
  const status = /^postinstall-end\/(\d+)$/.exec(name)?.[1];
  if (status === undefined || status === '0') return undefined;
  return new KvmimgError({
    code: 'installer-script',
    message: `The postinstall script of the answer file failed in the guest with exit code ${status}.`,
    hint: "Its commands and their output are the last lines of the installer's log. The script is photon/postinstall.sh.",
  });
}

interface Failure {
  readonly pattern: RegExp;
  readonly code: string;
  /** `$1` is the group of the pattern. */
  readonly message: string;
  readonly hint: string;
}

/** What the last line of Python's traceback says; the first pattern that matches. */
const exceptions: readonly Failure[] = [
  {
    pattern: /JSONDecodeError: (.*)/,
    code: 'installer-answer-file',
    message: 'The installer cannot read its answer file: $1',
    hint: 'It must be JSON.',
  },
  {
    pattern:
      /Exception: ((?:Unknown install_config keys|No disk configured|There is no partition|Duplicate|Disk \S+ has more).*)/,
    code: 'installer-answer-file',
    message: 'The installer refuses its answer file: $1',
    hint: 'Its keys are those that the installer on the ISO knows.',
  },
  {
    pattern: /Exception: Can not mount the cd/,
    code: 'installer-media',
    message: 'The installer could not mount its ISO.',
    hint: 'Is it an installer ISO of Photon? Its digest was checked if the distro or the recipe names one.',
  },
  {
    pattern: /(?:Exception|Error): (.*)/,
    code: 'installer-error',
    message: 'The installer failed: $1',
    hint: 'The lines above it on the console show why.',
  },
];

/** Lines that end an install without a traceback. */
const endings: readonly Failure[] = [
  {
    pattern: /LICENSE AGREEMENT|<Accept>/,
    code: 'installer-question',
    message: 'The installer has found no answer file, and asks on the console.',
    hint: 'See the requests of the guest: kvmimg serves the file itself, so the guest has no network.',
  },
  {
    pattern: /Please specify RPM repo path/,
    code: 'installer-media',
    message: 'The installer has no packages to install.',
    hint: 'Its ISO must be in the drive, with `photon.media=cdrom` among the arguments of its kernel.',
  },
  {
    pattern: /root@photon-installer \[/,
    code: 'installer-error',
    message: 'The installer has ended, and has left a shell on the console.',
    hint: 'The lines above it on the console show why.',
  },
];

const evidenceLines = 20;

function findSerialFailure(line: string, before: readonly string[]): KvmimgError | undefined {
  const said = [...before.filter((earlier) => earlier.trim() !== '').slice(-evidenceLines), line];
  // Exceptions are told of in texts that are no end; after a traceback one is.
  const failures = before.some((earlier) => earlier.includes('Traceback (most recent call last)'))
    ? [...endings, ...exceptions]
    : endings;
  for (const { pattern, code, message, hint } of failures) {
    const found = pattern.exec(line);
    if (!found) continue;
    return new KvmimgError({
      code,
      message: message.replace('$1', () => found[1] ?? ''),
      hint,
      evidence: [{ title: 'What the installer says', lines: said }],
    });
  }
  return undefined;
}

/** How Photon's installer speaks: on the console, and home by its scripts. */
export const photonVoice: InstallerVoice = {
  readActivity,
  findFailure: () => undefined,
  findSerialFailure,
  readCallback,
  findCallbackFailure,
  resetsAfter: 'postinstall-end/0',
  isIdleLine: (line) => line.trim() === '',
};
