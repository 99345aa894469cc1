import { access, constants, stat, statfs } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { systemErrorCode } from '../errors.ts';

export interface FreeSpace {
  /** The folder, or its nearest parent that exists. */
  readonly existing: string;
  /** What this user may still write there. */
  readonly freeBytes: number;
  readonly writable: boolean;
  /** Two folders with the same device share their space. */
  readonly device: number;
}

/** How much fits into a folder that need not exist yet. */
export async function readFreeSpace(folder: string): Promise<FreeSpace> {
  const existing = await findExisting(resolve(folder));
  const [space, stats] = await Promise.all([statfs(existing), stat(existing)]);
  const writable = await access(existing, constants.W_OK | constants.X_OK).then(
    () => stats.isDirectory(),
    () => false,
  );
  return { existing, freeBytes: space.bavail * space.bsize, writable, device: stats.dev };
}

async function findExisting(folder: string): Promise<string> {
  try {
    await stat(folder);
    return folder;
  } catch (error) {
    const code = systemErrorCode(error);
    if ((code !== 'ENOENT' && code !== 'ENOTDIR') || folder === dirname(folder)) throw error;
    return findExisting(dirname(folder));
  }
}
