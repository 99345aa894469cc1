import {
  type ExitStatus,
  InputError,
  InterruptedError,
  KvmimgError,
  messageOf,
  type Problem,
  systemErrorCode,
} from '../errors.ts';

/** What a person reads about a failure, and the exit status that goes with it. */
export interface RenderedError {
  readonly text: string;
  readonly exitStatus: ExitStatus;
}

/**
 * What the operating system refuses anywhere, at any moment, when the host has come to an end of something. Where a
 * module knows better what that means, it says so itself.
 */
const exhausted: Readonly<Record<string, readonly [message: string, hint: string]>> = {
  ENOSPC: [
    'No space is left on the disk of the cache or of the output folder.',
    'Free some there, or choose folders on another disk (KVMIMG_CACHE_DIR, --output). Then build again: it goes on where it was.',
  ],
  EDQUOT: ['The disk quota of this user is used up.', 'Free some space, or choose folders on another disk.'],
  EMFILE: ['This process may not open more files.', 'Raise the limit (ulimit -n).'],
  ENFILE: ['This host has no more open files to give.', 'End what has many files open.'],
  ENOMEM: ['This host has no memory left.', 'End something, or build with less memory.'],
};

/** The one place where errors become text. Anything but an expected error is a bug of kvmimg. */
export function renderError(error: unknown): RenderedError {
  if (error instanceof InputError) return { text: error.problems.map(renderProblem).join('\n'), exitStatus: 2 };
  if (error instanceof InterruptedError) return { text: error.message, exitStatus: 130 };
  if (error instanceof KvmimgError) return { text: renderExpected(error), exitStatus: error.exitStatus };
  const [message, hint] = exhausted[systemErrorCode(error) ?? ''] ?? [];
  if (message)
    return { text: renderExpected(new KvmimgError({ code: 'exhausted', message, hint, cause: error })), exitStatus: 1 };
  return { text: renderBug(error), exitStatus: 1 };
}

/** `error: node.yaml:3:3 disk.sise: is not a setting. Did you mean size?` */
function renderProblem({ place, message, hint }: Problem): string {
  return printable(`error: ${place}: ${message}${hint ? `. ${hint}` : ''}`).replaceAll('\n', ' ');
}

function renderExpected(error: KvmimgError): string {
  const blocks = [
    `error: ${error.message}`,
    ...causesOf(error).map((cause) => `  cause: ${cause}`),
    ...error.evidence
      .filter(({ lines }) => lines.length > 0)
      .map(({ title, lines }) => [`\n${title}:`, ...lines.map((line) => `  ${line}`)].join('\n')),
    ...(error.hint ? [`\n${error.hint}`] : []),
  ];
  return printable(blocks.join('\n'));
}

/** Messages of what lies behind an error, without those that it repeats. */
function causesOf(error: Error, depth = 0): string[] {
  const { cause } = error;
  if (cause === undefined || depth === 3) return [];
  const message = messageOf(cause);
  const further = cause instanceof Error ? causesOf(cause, depth + 1) : [];
  return error.message.includes(message) ? further : [message, ...further];
}

function renderBug(error: unknown): string {
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
  const inner = error instanceof AggregateError ? error.errors.map(renderBugDetail) : [];
  const behind = error instanceof Error && error.cause !== undefined ? [`cause: ${renderBugDetail(error.cause)}`] : [];
  return printable(
    [
      `error: This is a bug of kvmimg: ${messageOf(error)}`,
      '',
      stack,
      ...inner,
      ...behind,
      '',
      'Please report it with these lines, the command, and what `kvmimg doctor --json` says; CONTRIBUTING.md says where.',
    ].join('\n'),
  );
}

function renderBugDetail(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

/** A guest's console can hold anything: no escape sequence of it may reach the terminal. */
function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for.
  return text.replace(/\u001b\[[0-9;?]*[A-Za-z]/g, '').replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '');
}
