import { CommanderError } from 'commander';
import { handleSignals } from '../lifecycle/signals.ts';
import type { CommandContext, CommandStatus } from './command-context.ts';
import { addSettingFlags, makeProgram } from './program.ts';
import { renderError } from './render-error.ts';

/** Runs one command line and gives its exit status. */
export async function runCli(args: readonly string[], setting: Omit<CommandContext, 'signal'>): Promise<CommandStatus> {
  const { output } = setting;
  const signals = handleSignals((name) => {
    output.log(`${name}: stopping and cleaning up. Once more ends at once.`);
  });
  const context = { ...setting, signal: signals.signal };
  let status: CommandStatus = 0;
  const program = makeProgram({
    act: async (action) => {
      status = await action(context);
    },
    write: { out: (text) => output.print(text.trimEnd()), err: output.write },
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
