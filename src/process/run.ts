import { InterruptedError, KvmimgError, systemErrorCode } from '../errors.ts';
import { endWithParent } from './parent-death.ts';
import { quoteCommand } from './quote-command.ts';

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Written to the program's standard input, which is closed otherwise. */
  readonly input?: string | Uint8Array;
  /** Exit codes that are not failures. Default: 0. */
  readonly okExitCodes?: readonly number[];
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  /** Called with each whole line of standard output and standard error as it comes. */
  readonly onLine?: (line: string) => void;
  /** Called with each piece of standard output as it comes, for a program that redraws one line. */
  readonly onOutput?: (piece: string) => void;
  /** A kvmimg ended by SIGKILL takes the program along: for one that writes for minutes. */
  readonly endsWithKvmimg?: boolean;
}

export interface RunResult {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
}

/** Exit status of a program that was to start another, which is not there. */
const notFound = 127;
const tailLines = 20;
const maxBufferBytes = 64 * 1024 * 1024;

/**
 * Runs a program to its end: no shell, standard input closed, `LANG=C.UTF-8`, output captured and never shown.
 *
 * @throws KvmimgError `program-missing`, `program-failed` (with the last lines), `program-timeout`; InterruptedError or
 *   the signal's own reason when aborted.
 */
export async function run(program: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  options.signal?.throwIfAborted();
  // Loaded when first needed: it takes longer to load than `kvmimg plan`, which runs nothing, may take.
  const { execa } = await import('execa');
  const [file, allArgs] = options.endsWithKvmimg ? endWithParent(program, args) : [program, args];
  const child = execa(file, [...allArgs], {
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.timeoutMs === undefined ? {} : { timeout: options.timeoutMs }),
    ...(options.signal === undefined ? {} : { cancelSignal: options.signal }),
    ...(options.input === undefined ? { stdin: 'ignore' as const } : { input: options.input }),
    env: { LANG: 'C.UTF-8', ...options.env },
    reject: false,
    forceKillAfterDelay: 2_000,
    maxBuffer: maxBufferBytes,
    stripFinalNewline: false,
  });
  if (options.onLine) {
    void forwardLines(child.iterable({ from: 'stdout' }), options.onLine);
    void forwardLines(child.iterable({ from: 'stderr' }), options.onLine);
  }
  const { onOutput } = options;
  if (onOutput) child.stdout?.on('data', (piece: Buffer | string) => onOutput(piece.toString()));
  const result = await child;
  if (result.isCanceled) throw options.signal?.reason ?? new InterruptedError('abort');
  const isMissing = systemErrorCode(result.cause) === 'ENOENT' || (file !== program && result.exitCode === notFound);
  if (isMissing) throw missing(program);
  const command = quoteCommand(program, args);
  if (result.timedOut) {
    throw failed('program-timeout', `${program} did not end within ${options.timeoutMs} ms.`, command, result);
  }
  const exitCode = result.exitCode ?? -1;
  if (!(options.okExitCodes ?? [0]).includes(exitCode)) {
    throw failed('program-failed', describeFailure(program, result.exitCode, result.signal), command, result);
  }
  return { stdout: result.stdout, stderr: result.stderr, exitCode };
}

/**
 * Runs a program on kvmimg's own standard streams, with the user's language and terminal, and gives its exit code: for a
 * session that the user works in, which has no time limit.
 *
 * @throws KvmimgError `program-missing`; InterruptedError or the signal's own reason when aborted.
 */
export async function runOnOwnStreams(
  program: string,
  args: readonly string[],
  options: { readonly signal: AbortSignal },
): Promise<number> {
  options.signal.throwIfAborted();
  const { execa } = await import('execa');
  const result = await execa(program, [...args], {
    stdio: 'inherit',
    cancelSignal: options.signal,
    reject: false,
    forceKillAfterDelay: 2_000,
  });
  if (result.isCanceled) throw options.signal.reason;
  if (systemErrorCode(result.cause) === 'ENOENT') throw missing(program);
  // Ctrl-C without a raw terminal reaches the program and kvmimg alike; the program may be the quicker one.
  if (result.signal) throw new InterruptedError(result.signal);
  return result.exitCode ?? -1;
}

async function forwardLines(lines: AsyncIterable<unknown>, onLine: (line: string) => void): Promise<void> {
  try {
    for await (const line of lines) onLine(String(line));
  } catch {
    // The child's own result tells the failure.
  }
}

function describeFailure(program: string, exitCode: number | undefined, signal: string | undefined): string {
  if (signal) return `${program} was ended by ${signal}.`;
  return exitCode === undefined ? `${program} could not be started.` : `${program} failed with exit code ${exitCode}.`;
}

function missing(program: string): KvmimgError {
  return new KvmimgError({
    code: 'program-missing',
    message: `The program ${program} is not installed, or not on the PATH.`,
    hint: 'Run `kvmimg doctor --fix` to install what is missing.',
  });
}

function failed(
  code: string,
  message: string,
  command: string,
  output: { readonly stdout: string | undefined; readonly stderr: string | undefined },
): KvmimgError {
  const lines = `${output.stdout ?? ''}\n${output.stderr ?? ''}`.split('\n').filter((line) => line.trim() !== '');
  return new KvmimgError({
    code,
    message,
    evidence: [
      { title: 'Command', lines: [command] },
      { title: 'Its last lines', lines: lines.slice(-tailLines) },
    ],
  });
}
