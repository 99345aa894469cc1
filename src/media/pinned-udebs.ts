import type { InstallerLock, PinnedFile } from '../distro/schema.ts';
import { KvmimgError } from '../errors.ts';
import { type FetchOptions, fetchPinned, type MediaSources } from './pinned-file.ts';

const fetchedAtOnce = 4;

/** The files of a lock's udebs, but for the skipped ones. */
export function listUdebFiles(lock: InstallerLock, skip: readonly string[]): PinnedFile[] {
  return lock.udebs.filter((udeb) => !skip.includes(udeb.package)).map((udeb) => udeb.file);
}

export interface FetchAllOptions extends FetchOptions {
  /**
   * Gets the failure of the first file that no server has. Then no more are begun, and what has been fetched is the
   * result. Without it such a failure is thrown.
   */
  readonly onMissing?: (error: KvmimgError) => void;
}

/**
 * Fetches files, some at a time; `onProgress` gets the bytes of all of them together.
 *
 * @returns the path of each file by its path below the mirror
 * @throws what `fetchPinned` throws
 */
export async function fetchAllPinned(
  files: readonly PinnedFile[],
  from: MediaSources,
  options: FetchAllOptions,
): Promise<ReadonlyMap<string, string>> {
  const totalBytes = files.reduce((sum, file) => sum + file.sizeBytes, 0);
  const paths = new Map<string, string>();
  const waiting = [...files];
  let doneBytes = 0;
  let incomplete = false;
  const giveUp = (error: unknown): undefined => {
    if (!options.onMissing || !(error instanceof KvmimgError) || error.code !== 'media-missing') throw error;
    if (!incomplete) options.onMissing(error);
    incomplete = true;
    waiting.splice(0);
  };
  const fetchNext = async (): Promise<void> => {
    for (let file = waiting.shift(); file; file = waiting.shift()) {
      const path = await fetchPinned(file, from, { signal: options.signal }).catch(giveUp);
      if (path !== undefined) paths.set(file.path, path);
      doneBytes += file.sizeBytes;
      options.onProgress?.(doneBytes, totalBytes);
    }
  };
  await Promise.all(Array.from({ length: fetchedAtOnce }, fetchNext)).finally(() => waiting.splice(0));
  return paths;
}
