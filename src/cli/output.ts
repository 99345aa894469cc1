import { systemErrorCode } from '../errors.ts';

/** Where a command writes: results to standard output, everything else to standard error. */
export interface Output {
  /** A line of the result. */
  readonly print: (line: string) => void;
  /** A line for the person who waits. */
  readonly log: (line: string) => void;
  /** Text for standard error as it is. */
  readonly write: (text: string) => void;
  /** While something else owns the screen, it is given the lines of `log`; undefined gives them back. */
  readonly showLogIn: (sink: ((line: string) => void) | undefined) => void;
  /** Whether standard error is a terminal. */
  readonly isTerminal: boolean;
}

/** On the process's own streams. A reader that has gone away (`| head`) is no error of ours. */
export function makeOutput(stdout: NodeJS.WriteStream, stderr: NodeJS.WriteStream): Output {
  for (const stream of [stdout, stderr]) {
    stream.on('error', (error) => {
      if (systemErrorCode(error) !== 'EPIPE') throw error;
    });
  }
  let sink: ((line: string) => void) | undefined;
  return {
    print: (line) => stdout.write(`${line}\n`),
    log: (line) => (sink ? sink(line) : stderr.write(`${line}\n`)),
    write: (text) => stderr.write(text),
    showLogIn: (newSink) => {
      sink = newSink;
    },
    isTerminal: stderr.isTTY === true,
  };
}
