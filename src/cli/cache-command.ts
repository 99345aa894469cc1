import { findCacheDir } from '../host/cache-dir.ts';
import type { CommandContext, CommandStatus } from './command-context.ts';

/** `kvmimg cache path`. */
export async function printCachePath({ env, output }: CommandContext): Promise<CommandStatus> {
  output.print(findCacheDir(env));
  return 0;
}
