import { CommanderError } from 'commander';
import type { ExitStatus } from '../errors.ts';
import { handleSignals } from '../lifecycle/signals.ts';
import { makeOutput } from './output.ts';
import { addSettingFlags, makeProgram } from './program.ts';
import { renderError } from './render-error.ts';

/** Runs one command line on this process's streams, and gives its exit status. */
export async function runCli(args: readonly string[]): Promise<0 | ExitStatus> {
  const output = makeOutput(process.stdout, process.stderr);
  const signals = handleSignals((name) => {
    output.log(`${name}: stopping and cleaning up. Once more ends at once.`);
  });
  const context = { output, env: process.env, cwd: process.cwd(), signal: signals.signal };
  let status: 0 | ExitStatus = 0;
  const program = makeProgram({
    act: async (action) => {
      status = await action(context);
    },
    write: { out: (text) => process.stdout.write(text), err: output.write },
  });
  try {
    await addSettingFlags(program, args);
    await program.parseAsync(args, { from: 'user' });
    return status;
  } catch (error) {
    // Commander has written its own message, and help and version are no errors.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    const rendered = renderError(error);
    output.log(rendered.text);
    return rendered.exitStatus;
  } finally {
    signals.stop();
  }
}
