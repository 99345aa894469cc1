import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { mkdir, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { KvmimgError, messageOf, systemErrorCode } from '../errors.ts';
import type { Scope } from '../lifecycle/scope.ts';
import { registerKill } from '../lifecycle/signals.ts';
import { endLeftoverProcesses } from './leftover-processes.ts';
import { isOwnerAlive, makeOwner, parseOwner, readOwnerText, showLife } from './owner.ts';
import { removeSocketFolders } from './socket-folder.ts';

/**
 * A folder of this process alone, mode 0700: `<root>/work/<16 hex digits>/`, with `owner.json` from the first moment.
 * It is made as `<id>.new` and removed as `<id>.gone-<random>`; whatever has such a name may be removed by anyone.
 */
export interface WorkDir {
  readonly path: string;
}

export interface SweepResult {
  readonly removed: readonly string[];
  readonly endedPids: readonly number[];
  /** What could not be removed, and why; the next sweep tries again. */
  readonly failed: readonly { readonly path: string; readonly reason: string }[];
}

/** A folder without an owner is one that is being made just now, until it is this old. */
const makingLimitMs = 60_000;

/** @throws KvmimgError `work-dir` when it cannot be made: no space, no permission. */
export async function makeWorkDir(options: { readonly root: string; readonly scope: Scope }): Promise<WorkDir> {
  const id = randomBytes(8).toString('hex');
  const path = join(options.root, 'work', id);
  await createOwned(path, id);
  const forget = registerKill(() => rmSync(path, { recursive: true, force: true }));
  const stopSigns = showLife(path);
  options.scope.defer(`work folder ${path}`, async () => {
    // Under a name that says so: a folder without its owner would have to be taken for one that is being made.
    stopSigns();
    await removeOnce(path);
    forget();
  });
  return { path };
}

/** Removes the work folders below `root` whose process is dead, and ends what such a process left running. */
export async function sweepWorkDirs(root: string): Promise<SweepResult> {
  const removed: string[] = [];
  const endedPids: number[] = [];
  const failed: { path: string; reason: string }[] = [];
  for (const name of await readdir(join(root, 'work')).catch(() => [])) {
    const path = join(root, 'work', name);
    try {
      if (/\.gone-\w+$/.test(name)) {
        // Whoever removes it may be alive: two do no harm to each other.
        await removeGone(path);
        continue;
      }
      if (!(await isLeftover(path))) continue;
      const id = name.replace(/\..*/, '');
      endedPids.push(...(await endLeftoverProcesses(`/work/${id}/`)));
      await removeSocketFolders(id);
      if (await removeOnce(path)) removed.push(path);
    } catch (error) {
      failed.push({ path, reason: messageOf(error) });
    }
  }
  return { removed, endedPids, failed };
}

async function createOwned(path: string, id: string): Promise<void> {
  const making = `${path}.new`;
  try {
    await mkdir(dirname(making), { recursive: true });
    await mkdir(making, { mode: 0o700 });
    await writeFile(join(making, 'owner.json'), JSON.stringify(await makeOwner(id)));
    await rename(making, path);
  } catch (cause) {
    await rm(making, { recursive: true, force: true }).catch(() => {});
    throw new KvmimgError({
      code: 'work-dir',
      message: `Could not make the work folder ${path}: ${messageOf(cause)}.`,
      hint: 'Free some space there, or set KVMIMG_CACHE_DIR to a folder on another disk.',
      cause,
    });
  }
}

async function isLeftover(path: string): Promise<boolean> {
  const folder = await stat(path).catch(() => undefined);
  if (!folder?.isDirectory()) return false;
  const ownerText = await readOwnerText(join(path, 'owner.json'));
  const owner = ownerText === undefined ? undefined : parseOwner(ownerText);
  const ageMs = Date.now() - folder.mtimeMs;
  return owner === undefined ? ageMs > makingLimitMs : !(await isOwnerAlive(owner, ageMs));
}

/** False when another sweep was quicker: only one of them can rename the folder. */
async function removeOnce(path: string): Promise<boolean> {
  const gone = `${path}.gone-${randomBytes(4).toString('hex')}`;
  try {
    await rename(path, gone);
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return false;
    throw error;
  }
  await removeGone(gone);
  return true;
}

async function removeGone(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true, maxRetries: 3 });
}
