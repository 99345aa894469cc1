import { join } from 'node:path';
import { sweepLocks } from './file-lock.ts';
import { type SweepResult, sweepWorkDirs } from './work-dirs.ts';

/** Removes from a cache folder what killed processes left there, work folders and locks, and ends what they left running. */
export async function sweepLeftovers(cacheDir: string): Promise<SweepResult> {
  const result = await sweepWorkDirs(cacheDir);
  await sweepLocks(join(cacheDir, 'locks'));
  return result;
}
