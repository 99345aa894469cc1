import { findInstallerLock, loadDistros } from '../distro/catalogue.ts';
import type { Distro } from '../distro/schema.ts';
import type { CommandContext, CommandStatus } from './command-context.ts';

/** `kvmimg distros`: what can be built. */
export async function listDistros(flags: { readonly json?: boolean }, context: CommandContext): Promise<CommandStatus> {
  const rows = await Promise.all((await loadDistros()).map(describeDistro));
  if (flags.json) {
    context.output.print(JSON.stringify(rows, undefined, 2));
    return 0;
  }
  const width = Math.max(...rows.map((row) => row.id.length));
  for (const row of rows) {
    context.output.print(`${row.id.padEnd(width)}  ${row.title}, ${row.arches.join(', ')}, installer ${row.installer}`);
  }
  return 0;
}

async function describeDistro(distro: Distro) {
  const { id, title, family, arches } = distro;
  const locks = await Promise.all(arches.map((arch) => findInstallerLock(distro, arch)));
  const releases = [...new Set(locks.flatMap((lock) => (lock ? [lock.release] : [])))];
  return { id, title, family, arches, installer: releases.join(', ') || 'without a lock' };
}
