/** What a failed command means to the shell: 1 the build failed, 2 the input is wrong, 130 interrupted. */
export type ExitStatus = 1 | 2 | 130;

/** Further facts for the report of a failure, one titled block each: last serial lines, installer log, a path. */
export interface Evidence {
  readonly title: string;
  readonly lines: readonly string[];
}

interface ErrorOptions {
  readonly code: string;
  readonly message: string;
  readonly hint?: string | undefined;
  readonly evidence?: readonly Evidence[];
  readonly cause?: unknown;
}

/**
 * An expected failure, told in the user's words. `message` is a sentence that says what went wrong and where;
 * `hint` says what to do. Anything else that is thrown is a bug of kvmimg.
 */
export class KvmimgError extends Error {
  readonly code: string;
  readonly hint: string | undefined;
  readonly evidence: readonly Evidence[];
  readonly exitStatus: ExitStatus = 1;

  constructor(options: ErrorOptions) {
    super(options.message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'KvmimgError';
    this.code = options.code;
    this.hint = options.hint;
    this.evidence = options.evidence ?? [];
  }
}

/** One thing wrong with the input: where (`recipe.yaml: disk.size`, `--format`), what, and what to do about it. */
export interface Problem {
  readonly place: string;
  readonly message: string;
  readonly hint?: string;
}

/** The input is wrong; carries every problem found, not just the first. */
export class InputError extends KvmimgError {
  override readonly exitStatus = 2;
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    super({ code: 'input', message: problems.map((problem) => `${problem.place}: ${problem.message}`).join('\n') });
    this.name = 'InputError';
    this.problems = problems;
  }
}

/** The user pressed Ctrl-C or the process was told to end. */
export class InterruptedError extends KvmimgError {
  override readonly exitStatus = 130;

  constructor(signalName: string, message = `Interrupted by ${signalName}.`) {
    super({ code: 'interrupted', message });
    this.name = 'InterruptedError';
  }
}

/** The message of anything thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The `code` of a Node system error (`ENOENT`), if it is one. */
export function systemErrorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
