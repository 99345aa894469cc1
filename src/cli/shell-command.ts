import { startShell } from '../build/shell-machine.ts';
import { findShellTarget } from '../build/shell-target.ts';
import { findCacheDir } from '../host/cache-dir.ts';
import { openLayerStore } from '../layer/store.ts';
import { withScope } from '../lifecycle/scope.ts';
import type { AccelChoice } from '../plan/plan.ts';
import type { CommandContext, CommandStatus } from './command-context.ts';

export interface ShellFlags {
  readonly accel: AccelChoice;
  readonly set?: readonly string[];
}

export interface ShellArguments {
  readonly what: string;
  /** Words; none for a session. */
  readonly command: readonly string[];
}

const connectionEnded = 255;

/** `kvmimg shell`: a session, or one command, in a guest that is gone afterwards. */
export async function openShell(
  { what, command }: ShellArguments,
  flags: ShellFlags,
  { cwd, env, output, signal }: CommandContext,
): Promise<CommandStatus> {
  const { accel, set: sets = [] } = flags;
  const cacheDir = findCacheDir(env);
  const store = openLayerStore(cacheDir, signal);
  const target = await findShellTarget({ what, sets, cwd, cacheDir, accel }, store);
  return withScope(
    async (scope) => {
      const shell = await startShell(target, { cacheDir, accel, store, scope, signal, tell: output.log });
      if (command.length > 0) return shell.guest.attach(command, shell.signal);
      output.log(`You are ${shell.user}; sudo needs no password. Leave by \`exit\`.`);
      const status = await shell.guest.attach([], shell.signal);
      if (status === connectionEnded) output.log('The guest has ended the connection.');
      return 0;
    },
    (error) => output.log(`Not everything could be cleaned up: ${String(error)}`),
  );
}
