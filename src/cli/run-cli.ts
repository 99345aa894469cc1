import { CommanderError } from 'commander';
import { handleSignals } from '../lifecycle/signals.ts';
import { describeFailure } from '../progress/failure.ts';
import type { CommandContext, CommandStatus } from './command-context.ts';
import { asksForJson, makeJsonOutput } from './json-output.ts';
import { addSettingFlags, makeProgram } from './program.ts';
import { renderError } from './render-error.ts';

/** Runs one command line and gives its exit status. */
export async function runCli(args: readonly string[], setting: Omit<CommandContext, 'signal'>): Promise<CommandStatus> {
  const json = asksForJson(args) ? makeJsonOutput(setting.output) : undefined;
  const output = json ?? setting.output;
  const signals = handleSignals((name) => {
    output.log(`${name}: stopping and cleaning up. Once more ends at once.`);
  });
  const context = { ...setting, output, signal: signals.signal };
  let status: CommandStatus = 0;
  const program = makeProgram({
    act: async (action) => {
      status = await action(context);
    },
    write: { out: (text) => output.print(text.trimEnd()), err: json ? () => {} : output.write },
  });
  try {
    await addSettingFlags(program, args);
    await program.parseAsync(args, { from: 'user' });
    return status;
  } catch (error) {
    if (error instanceof CommanderError) {
      // Help and version are no errors.
      if (error.exitCode === 0) return 0;
      // As text commander has written it itself.
      json?.tellError({ code: 'input', message: error.message.replace(/^error: /, '') }, 2);
      return 2;
    }
    const { text, exitStatus } = renderError(error);
    if (json) json.tellError(describeFailure(error), exitStatus);
    else output.log(text);
    return exitStatus;
  } finally {
    signals.stop();
  }
}
