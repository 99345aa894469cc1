import type { ExitStatus } from '../errors.ts';
import type { Failure } from '../progress/failure.ts';
import { startJsonLines } from '../progress/json.ts';
import type { Output } from './output.ts';

/** An output whose standard error is read by a program: every line is a JSON object with a `type`. */
export interface JsonOutput extends Output {
  /** Why the command failed: its last line. */
  readonly tellError: (failure: Failure, exitStatus: ExitStatus) => void;
}

export function makeJsonOutput(output: Output): JsonOutput {
  const writeLine = startJsonLines({ write: output.write, nowMs: () => performance.now() });
  let sink: ((line: string) => void) | undefined;
  const tellLog = (message: string): void => writeLine({ type: 'log', ...{ level: 'info', message } });
  return {
    ...output,
    log: (line) => (sink ?? tellLog)(line),
    showLogIn: (newSink) => {
      sink = newSink;
    },
    tellError: (failure, exitStatus) => writeLine({ type: 'error', ...{ exitStatus, ...failure } }),
  };
}

/**
 * Whether a command line says `--log-format json`. It is read before commander reads it, for what commander finds wrong
 * has to be told in that format too.
 */
export function asksForJson(args: readonly string[]): boolean {
  const end = args.indexOf('--');
  const words = end < 0 ? args : args.slice(0, end);
  const formats = words.flatMap((word, index) => {
    if (word === logFlag) return [words[index + 1]];
    return word.startsWith(`${logFlag}=`) ? [word.slice(logFlag.length + 1)] : [];
  });
  return formats.at(-1) === 'json';
}

const logFlag = '--log-format';
