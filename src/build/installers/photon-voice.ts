import type { KvmimgError } from '../../errors.ts';
import type { InstallerCallback, InstallerMessage, InstallerVoice } from './installer-voice.ts';
import { findKnownFailure, findScriptFailure, type KnownFailure, readLog, saidWith } from './known-failures.ts';

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

function readCallback(callback: InstallerCallback): readonly InstallerMessage[] {
  if (Object.hasOwn(points, callback.name)) return [{ tag: pointTag, text: callback.name }];
  return readLog(callback, /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d+ - /);
}

/** What the last line of Python's traceback says; the first pattern that matches. */
const exceptions: readonly KnownFailure[] = [
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
const endings: readonly KnownFailure[] = [
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

function findSerialFailure(line: string, before: readonly string[]): KvmimgError | undefined {
  // Exceptions are told of in texts that are no end; after a traceback one is.
  const traced = before.some((earlier) => earlier.includes('Traceback (most recent call last)'));
  return findKnownFailure([...endings, ...(traced ? exceptions : [])], line, saidWith(line, before));
}

/** How Photon's installer speaks: on the console, and home by its scripts. */
export const photonVoice: InstallerVoice = {
  readActivity,
  findFailure: () => undefined,
  findSerialFailure,
  readCallback,
  findCallbackFailure: (callback) => findScriptFailure(callback, 'photon'),
  resetsAfter: 'postinstall-end/0',
  isIdleLine: (line) => line.trim() === '',
};
