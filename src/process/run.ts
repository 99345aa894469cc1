import { existsSync } from 'node:fs';
import { InterruptedError, KvmimgError, systemErrorCode } from '../errors.ts';
import { followLines } from './follow-lines.ts';
import { knownLanguage } from './known-language.ts';
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
  /**
   * Called with each whole line of standard output and standard error as it comes, for a program that may write any
   * amount: the result has the last lines only.
   */
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
/** Most that is kept of an output that is wanted whole. */
const maxOutputMebibytes = 64;
/** Enough for the last lines. */
const tailCharacters = 64 * 1024;

/**
 * Runs a program to its end: no shell, standard input closed, messages in English, output captured and never shown.
 *
 * @throws KvmimgError `program-missing`, `program-failed` (with the last lines), `program-timeout`, `program-output` for
 *   more than 64 MiB without `onLine`; InterruptedError or the signal's own reason when aborted.
 */
export async function run(program: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  options.signal?.throwIfAborted();
  // Loaded when first needed: it takes longer to load than `kvmimg plan`, which runs nothing, may take.
  const { execa } = await import('execa');
  const [file, allArgs] = options.endsWithKvmimg ? endWithParent(program, args) : [program, args];
  const { onLine, onOutput } = options;
  const child = execa(file, [...allArgs], {
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.timeoutMs === undefined ? {} : { timeout: options.timeoutMs }),
    ...(options.signal === undefined ? {} : { cancelSignal: options.signal }),
    ...(options.input === undefined ? { stdin: 'ignore' as const } : { input: options.input }),
    env: { ...knownLanguage, ...options.env },
    reject: false,
    forceKillAfterDelay: 2_000,
    buffer: onLine === undefined,
    maxBuffer: maxOutputMebibytes * 1024 * 1024,
    stripFinalNewline: false,
  });
  const tails = onLine && [child.stdout, child.stderr].map((stream) => stream && followLines(stream, onLine));
  if (onOutput) child.stdout?.on('data', (piece: Buffer | string) => onOutput(piece.toString()));
  const result = await child;
  if (result.isCanceled) throw options.signal?.reason ?? new InterruptedError('abort');
  // An absent working folder is told by the same code.
  const isAbsent = systemErrorCode(result.cause) === 'ENOENT' && existsSync(options.cwd ?? '.');
  if (isAbsent || (file !== program && result.exitCode === notFound)) throw programMissing(program);
  const [stdout = '', stderr = ''] = tails?.map((tail) => tail?.().join('\n')) ?? [result.stdout, result.stderr];
  const fail = (code: string, message: string): KvmimgError =>
    failed({ code, message, command: quoteCommand(program, args), outputs: [stdout, stderr] });
  if (result.isMaxBuffer) throw fail('program-output', `${program} wrote more than ${maxOutputMebibytes} MiB.`);
  if (result.timedOut) throw fail('program-timeout', `${program} did not end within ${options.timeoutMs} ms.`);
  const exitCode = result.exitCode ?? -1;
  if (!(options.okExitCodes ?? [0]).includes(exitCode)) {
    throw fail('program-failed', describeFailure(program, result.exitCode, result.signal));
  }
  return { stdout, stderr, exitCode };
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
  options: { readonly cwd?: string; readonly signal: AbortSignal },
): Promise<number> {
  options.signal.throwIfAborted();
  const { execa } = await import('execa');
  const result = await execa(program, [...args], {
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    stdio: 'inherit',
    cancelSignal: options.signal,
    reject: false,
    forceKillAfterDelay: 2_000,
  });
  if (result.isCanceled) throw options.signal.reason;
  if (systemErrorCode(result.cause) === 'ENOENT') throw programMissing(program);
  // Ctrl-C without a raw terminal reaches the program and kvmimg alike; the program may be the quicker one.
  if (result.signal) throw new InterruptedError(result.signal);
  return result.exitCode ?? -1;
}

function describeFailure(program: string, exitCode: number | undefined, signal: string | undefined): string {
  if (signal) return `${program} was ended by ${signal}.`;
  return exitCode === undefined ? `${program} could not be started.` : `${program} failed with exit code ${exitCode}.`;
}

export function programMissing(program: string): KvmimgError {
  return new KvmimgError({
    code: 'program-missing',
    message: `The program ${program} is not installed, or not on the PATH.`,
    hint: 'Run `kvmimg doctor --fix` to install what is missing.',
  });
}

interface Failure {
  readonly code: string;
  readonly message: string;
  readonly command: string;
  readonly outputs: readonly string[];
}

function failed({ code, message, command, outputs }: Failure): KvmimgError {
  const ends = outputs.map((output) => output.slice(-tailCharacters)).join('\n');
  const lines = ends.split('\n').filter((line) => line.trim() !== '');
  return new KvmimgError({
    code,
    message,
    evidence: [
      { title: 'Command', lines: [command] },
      { title: 'Its last lines', lines: lines.slice(-tailLines) },
    ],
  });
}
