import { KvmimgError } from '../errors.ts';

/** The files of one call: what fails for space or permission is the one written, everything else is about the one read. */
export interface CallFiles {
  readonly reads?: string;
  readonly writes?: string;
}

interface KnownFailure {
  readonly pattern: RegExp;
  readonly code: string;
  readonly about: keyof CallFiles;
  readonly message: (path: string) => string;
  readonly hint: string;
}

/** What qemu-img 7.2 to 10 say, in the order in which they are looked for. */
const knownFailures: readonly KnownFailure[] = [
  {
    pattern: /No space left on device|Disk quota exceeded/,
    code: 'no-space',
    about: 'writes',
    message: (path) => `There is no space left on the device that holds ${path}.`,
    hint: 'Free some space there, or choose another folder.',
  },
  {
    pattern: /File too large/,
    code: 'no-space',
    about: 'writes',
    message: (path) => `${path} grew larger than the file system or the limit of this shell (ulimit -f) allows.`,
    hint: 'Choose a folder on another file system, or raise the limit.',
  },
  {
    // What is only read is never locked for these.
    pattern: /Failed to get "(write|resize)" lock/,
    code: 'image-in-use',
    about: 'writes',
    message: (path) => `${path} is being used by another program, and cannot be written.`,
    hint: 'End that program, or choose another folder.',
  },
  {
    pattern: /Failed to get (shared )?"\w+" lock|Is another process using the image/,
    code: 'image-in-use',
    about: 'reads',
    message: (path) => `${path} is in use by another program, such as a running machine.`,
    hint: 'Power that machine off, or work on a copy.',
  },
  {
    pattern: /Could not open backing (file|image)/,
    code: 'backing-missing',
    about: 'reads',
    message: (path) => `The backing file of ${path} cannot be opened.`,
    hint: '`kvmimg inspect` names the backing file; put it back where the image expects it.',
  },
  {
    pattern: /Read-only file system|Permission denied/,
    code: 'image-permission',
    about: 'writes',
    message: (path) => `There is no permission to read or write ${path}.`,
    hint: 'Check the permissions of the file and of its folder.',
  },
  {
    pattern: /No such file or directory/,
    code: 'image-missing',
    about: 'reads',
    message: (path) => `${path} does not exist.`,
    hint: 'Check the path.',
  },
  {
    pattern: /error while (writing|converting)/,
    code: 'write-failed',
    about: 'writes',
    message: (path) => `${path} could not be written.`,
    hint: 'Look at the last lines of qemu-img, and at the kernel log for errors of the device.',
  },
  {
    pattern:
      /[Nn]ot in \w+ format|[Cc]orrupt|Could not (open|read)|[Ii]nvalid|does not appear|must be|L[12] (table|size)|unsupported/,
    code: 'not-an-image',
    about: 'reads',
    message: (path) => `${path} is not a disk image that QEMU can read, or it is damaged.`,
    hint: '`kvmimg inspect` says what it is; fetch or build it again if it is damaged.',
  },
];

/** What is seen around the failure, since qemu-img does not tell it. */
export interface Circumstances {
  /** The file that is read is there, so another one that it needs is not. */
  readonly readFileExists: boolean;
  /** Next to nothing is free where the file is written: the VMDK driver calls that "Invalid argument" (QEMU 7.2). */
  readonly deviceIsFull: boolean;
}

/** Gives the failure of a call of qemu-img as a sentence about its file, with qemu-img's own lines as evidence. */
export function describeQemuImgFailure(error: unknown, files: CallFiles, seen: Circumstances): unknown {
  if (!(error instanceof KvmimgError) || error.code !== 'program-failed') return error;
  const output = error.evidence.find((evidence) => evidence.title === 'Its last lines')?.lines.join('\n') ?? '';
  const known = findKnownFailure(output, seen);
  if (!known) return error;
  const path = files[known.about] ?? files.reads ?? files.writes ?? 'the image';
  const { code, hint } = known;
  return new KvmimgError({ code, message: known.message(path), hint, evidence: error.evidence, cause: error });
}

function findKnownFailure(output: string, seen: Circumstances): KnownFailure | undefined {
  const withCode = (code: string) => knownFailures.find((failure) => failure.code === code);
  const known = knownFailures.find((failure) => failure.pattern.test(output));
  if (known?.code === 'write-failed' && seen.deviceIsFull) return withCode('no-space');
  if (known?.code === 'image-missing' && seen.readFileExists) return withCode('backing-missing');
  return known;
}
