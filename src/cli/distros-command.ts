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
  const width = (cells: readonly string[]): number => Math.max(...cells.map((cell) => cell.length));
  const widths = { id: width(rows.map(({ id }) => id)), title: width(rows.map(({ title }) => title)) };
  for (const { id, title, arches, installer } of rows) {
    const names = `${id.padEnd(widths.id)}  ${title.padEnd(widths.title)}`;
    context.output.print(`${names}  ${arches.join(', ').padEnd('amd64, arm64'.length)}  ${installer}`);
  }
  return 0;
}

async function describeDistro(distro: Distro) {
  const { id, title, family, arches, cpuLevel } = distro;
  return { id, title, family, arches, cpuLevel, installer: await describeInstaller(distro) };
}

/** What it is installed from: `netboot 13.6`, `tree, AlmaLinux-9-latest-x86_64-dvd.iso`. */
async function describeInstaller(distro: Distro): Promise<string> {
  const { arches } = distro;
  if (distro.family === 'debian') {
    const locks = await Promise.all(arches.map((arch) => findInstallerLock(distro, arch)));
    const releases = [...new Set(locks.flatMap((lock) => (lock ? [lock.release] : [])))];
    return `netboot ${releases.join(', ') || 'without a lock'}`;
  }
  const isos = arches.flatMap((arch) => distro.iso[arch]?.fileName ?? []);
  return [...(distro.family === 'redhat' && distro.hasTree && !distro.subscription ? ['tree'] : []), ...isos].join(
    ', ',
  );
}
