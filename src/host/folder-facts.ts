import { access, constants, stat, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { messageOf, systemErrorCode } from '../errors.ts';

/** What is known about a folder that will be written to, whether or not it exists yet. */
export interface FolderFacts {
  readonly path: string;
  /** Completes "cannot be written: …"; undefined where it can. */
  readonly obstacle: string | undefined;
  /** What this user may still write there. */
  readonly freeBytes: number;
  /** Names the file system, to add up what goes onto the same one. */
  readonly fileSystem: number;
}

interface Existing {
  readonly folder: string;
  readonly isDirectory: boolean;
  readonly fileSystem: number;
}

/** Of the folder itself, or of the nearest one above it that exists, in which it would be made. Writes nothing. */
export async function readFolderFacts(path: string): Promise<FolderFacts> {
  try {
    const { folder, isDirectory, fileSystem } = await findExisting(path);
    const { bavail, bsize, blocks } = await statfs(folder);
    // Such as /proc, which lets root write and holds no file.
    const isVirtual = blocks === 0 ? `${folder} is on a file system that holds no files` : undefined;
    const obstacle = isDirectory ? ((await findObstacle(folder)) ?? isVirtual) : `${folder} is not a folder`;
    return { path, obstacle, freeBytes: bavail * bsize, fileSystem };
  } catch (error) {
    return { path, obstacle: messageOf(error), freeBytes: 0, fileSystem: 0 };
  }
}

async function findExisting(folder: string): Promise<Existing> {
  try {
    const stats = await stat(folder);
    return { folder, isDirectory: stats.isDirectory(), fileSystem: stats.dev };
  } catch (error) {
    const isAbsent = ['ENOENT', 'ENOTDIR'].includes(systemErrorCode(error) ?? '');
    if (!isAbsent || folder === dirname(folder)) throw error;
    return findExisting(dirname(folder));
  }
}

/** Whether a path leads to a folder, a device or whatever else no file can take the place of. */
export async function isOtherThanFile(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  return found !== undefined && !found.isFile();
}

const obstacles: Readonly<Record<string, string>> = {
  EACCES: 'may not be written by this user',
  EROFS: 'is on a read-only file system',
};

async function findObstacle(folder: string): Promise<string | undefined> {
  try {
    await access(folder, constants.W_OK | constants.X_OK);
    return undefined;
  } catch (error) {
    const known = obstacles[systemErrorCode(error) ?? ''];
    return known === undefined ? messageOf(error) : `${folder} ${known}`;
  }
}
