import { type Evidence, InputError, KvmimgError, messageOf, type Problem, systemErrorCode } from '../errors.ts';

/** What a program that reads events is told of a failure; the parts that `renderError` makes text of. */
export interface Failure {
  /** For programs to tell failures apart: `input`, `interrupted`, `bug`, or that of the error. */
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
  /** Messages of what lies behind it, the nearest first. */
  readonly causes?: readonly string[];
  readonly evidence?: readonly Evidence[];
  /** Everything that is wrong with the input, of the code `input`. */
  readonly problems?: readonly Problem[];
}

export const bugHint =
  'Please report it with these lines, the command, and what `kvmimg doctor --json` says; CONTRIBUTING.md says where.';

export function describeFailure(error: unknown): Failure {
  const expected = findExpected(error);
  if (expected === undefined) {
    const evidence = stacksOf(error).map((stack) => ({ title: 'Stack', lines: stack.split('\n') }));
    return { code: 'bug', message: `This is a bug of kvmimg: ${messageOf(error)}`, hint: bugHint, evidence };
  }
  const { code, message, hint } = expected;
  const causes = causesOf(expected);
  const evidence = expected.evidence.filter(({ lines }) => lines.length > 0);
  return {
    ...{ code, message },
    ...(hint === undefined ? {} : { hint }),
    ...(causes.length === 0 ? {} : { causes }),
    ...(evidence.length === 0 ? {} : { evidence }),
    ...(expected instanceof InputError ? { problems: expected.problems } : {}),
  };
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

/** The failure in the user's words; undefined for a bug of kvmimg. */
export function findExpected(error: unknown): KvmimgError | undefined {
  if (error instanceof KvmimgError) return error;
  const [message, hint] = exhausted[systemErrorCode(error) ?? ''] ?? [];
  return message === undefined ? undefined : new KvmimgError({ code: 'exhausted', message, hint, cause: error });
}

/** Messages of what lies behind an error, without those that it repeats. */
export function causesOf(error: Error, depth = 0): string[] {
  const { cause } = error;
  if (cause === undefined || depth === 3) return [];
  const message = messageOf(cause);
  const further = cause instanceof Error ? causesOf(cause, depth + 1) : [];
  return error.message.includes(message) ? further : [message, ...further];
}

/** Where a bug was met: the stack of what was thrown, then of what it is made of and what lies behind it. */
export function stacksOf(error: unknown): string[] {
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
  const inner = error instanceof AggregateError ? error.errors.map(stackOf) : [];
  const behind = error instanceof Error && error.cause !== undefined ? [`cause: ${stackOf(error.cause)}`] : [];
  return [stack, ...inner, ...behind];
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
