import { KvmimgError, messageOf, systemErrorCode } from '../errors.ts';
import { registerKill } from '../lifecycle/signals.ts';
import { knownLanguage } from './known-language.ts';
import { endWithParent } from './parent-death.ts';

export interface StartOptions {
  readonly cwd?: string;
  /** Called with each line that the program writes to standard output or standard error. */
  readonly onLine?: (line: string) => void;
}

export interface ProcessExit {
  readonly exitCode: number | undefined;
  readonly signal: NodeJS.Signals | undefined;
  /** The last lines of both outputs. */
  readonly lastLines: readonly string[];
}

/** A long-lived child. It cannot outlive kvmimg: not on exit, not on a second Ctrl-C, not on `kill -9` (Linux). */
export interface StartedProcess {
  readonly pid: number;
  /** Settles when the program has ended; never rejects. */
  readonly exited: Promise<ProcessExit>;
  readonly hasExited: () => boolean;
  readonly kill: (signal: NodeJS.Signals) => void;
}

const keptLines = 50;

/**
 * Starts a program that runs beside kvmimg. On Linux a kvmimg ended by SIGKILL takes it along; on other systems the
 * next run sweeps what is left.
 *
 * @throws KvmimgError `program-missing` when it cannot be started.
 */
export async function start(
  program: string,
  args: readonly string[],
  options: StartOptions = {},
): Promise<StartedProcess> {
  const [file, allArgs] = endWithParent(program, args);
  // Loaded when first needed, as in run.ts.
  const { execa } = await import('execa');
  const child = execa(file, [...allArgs], {
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env: knownLanguage,
    stdin: 'ignore',
    reject: false,
    buffer: false,
    detached: true,
    cleanup: false,
  });
  const lastLines: string[] = [];
  const collect = async (from: 'stdout' | 'stderr'): Promise<void> => {
    try {
      for await (const line of child.iterable({ from })) {
        lastLines.push(line);
        if (lastLines.length > keptLines) lastLines.shift();
        options.onLine?.(line);
      }
    } catch {
      // The exit tells the failure.
    }
  };
  const pid = child.pid;
  if (pid === undefined) {
    const result = await child;
    throw new KvmimgError({
      code: 'program-missing',
      message: `The program ${program} could not be started: ${messageOf(result.cause)}.`,
      hint: 'Run `kvmimg doctor` to see what is missing on this host.',
    });
  }
  let ended = false;
  const kill = (signal: NodeJS.Signals): void => {
    if (ended) return;
    try {
      process.kill(-pid, signal);
    } catch (error) {
      // It has ended, and its exit is on the way here.
      if (systemErrorCode(error) !== 'ESRCH') throw error;
    }
  };
  const forget = registerKill(() => kill('SIGKILL'));
  const outputs = Promise.all([collect('stdout'), collect('stderr')]);
  const exited = child.then(async (result) => {
    ended = true;
    forget();
    await outputs;
    return { exitCode: result.exitCode, signal: result.signal as NodeJS.Signals | undefined, lastLines };
  });
  return { pid, exited, hasExited: () => ended, kill };
}
