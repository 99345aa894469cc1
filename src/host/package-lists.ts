import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { HostSource } from './facts.ts';
import type { PackageManager } from './packages.ts';

const freshForMs = 24 * 3_600_000;

/**
 * Whether the package manager must fetch its lists before it can install: a fresh container has none, and lists of last
 * month name files that the mirror has dropped since.
 */
export async function needsPackageUpdate(manager: PackageManager, host: HostSource): Promise<boolean> {
  if (manager === 'apt-get') return isAnyMissingOrOld(join(host.root, 'var/lib/apt/lists'), /_Packages/);
  if (manager === 'pacman') return (await findNewest(join(host.root, 'var/lib/pacman/sync'), /\.db$/)) === undefined;
  return false;
}

async function isAnyMissingOrOld(folder: string, pattern: RegExp): Promise<boolean> {
  const newestMs = await findNewest(folder, pattern);
  return newestMs === undefined || Date.now() - newestMs > freshForMs;
}

/** When a list was last written; its modification time is the mirror's, so the inode's own time is taken. */
async function findNewest(folder: string, pattern: RegExp): Promise<number | undefined> {
  const names = (await readdir(folder).catch(() => [])).filter((name) => pattern.test(name));
  const times = await Promise.all(names.map(async (name) => (await stat(join(folder, name))).ctimeMs));
  return times.length === 0 ? undefined : Math.max(...times);
}
