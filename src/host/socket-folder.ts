import { rmSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, sep } from 'node:path';
import type { Scope } from '../lifecycle/scope.ts';
import { registerKill } from '../lifecycle/signals.ts';

/** `sun_path` holds 104 bytes with its end on macOS, 108 on Linux. */
const maxSocketPathBytes = 103;

function isWorkDirId(name: string): boolean {
  return /^[0-9a-f]{16}$/.test(name);
}

/** The work folder that it belongs to is in its name, which is short because paths of sockets must be. */
function shortNameOf(workDirId: string): string {
  return `kvmimg-${workDirId.slice(0, 8)}-`;
}

/**
 * A folder for a socket whose name has at most `nameBytes`: the one that is wanted, or one with a short path in the
 * system's temporary folder where the path of the socket would be too long. Only the latter is removed by the scope, or
 * with the work folder that `wanted` lies in, by the sweep.
 */
export async function makeSocketFolder(wanted: string, nameBytes: number, scope: Scope): Promise<string> {
  if (Buffer.byteLength(wanted) + 1 + nameBytes <= maxSocketPathBytes) {
    await mkdir(wanted, { recursive: true, mode: 0o700 });
    return wanted;
  }
  const workDirId = wanted.split(sep).findLast((name) => isWorkDirId(name)) ?? 'socket';
  const folder = await mkdtemp(join(tmpdir(), shortNameOf(workDirId)));
  const forget = registerKill(() => rmSync(folder, { recursive: true, force: true }));
  scope.defer(`socket folder ${folder}`, async () => {
    await rm(folder, { recursive: true, force: true });
    forget();
  });
  return folder;
}

/** Removes those that belong to a work folder that is being swept. */
export async function removeSocketFolders(workDirId: string): Promise<void> {
  if (!isWorkDirId(workDirId)) return;
  const names = (await readdir(tmpdir())).filter((name) => name.startsWith(shortNameOf(workDirId)));
  await Promise.all(names.map((name) => rm(join(tmpdir(), name), { recursive: true, force: true })));
}
