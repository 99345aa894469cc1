import type { InstallerLock, PinnedFile } from '../distro/schema.ts';
import { KvmimgError } from '../errors.ts';
import type { MediaSources } from './pinned-file.ts';
import { joinUrl } from './url.ts';

const askedAtOnce = 4;

/**
 * Asks the mirror (the first URL) for each udeb of a lock, without fetching it.
 *
 * @throws KvmimgError `lock-refused` with each URL that does not answer, or answers with another length.
 */
export async function checkFilesAnswer(lock: InstallerLock, mirror: MediaSources, signal: AbortSignal): Promise<void> {
  const waiting = lock.udebs.map((udeb) => udeb.file);
  const failures: string[] = [];
  const askAll = async (): Promise<void> => {
    for (let file = waiting.shift(); file; file = waiting.shift()) {
      const failure = await findFailure(file, mirror, signal);
      if (failure !== undefined) failures.push(failure);
    }
  };
  await Promise.all(Array.from({ length: askedAtOnce }, askAll));
  if (failures.length === 0) return;
  throw new KvmimgError({
    code: 'lock-refused',
    message:
      `No lock was written: the mirror does not have ${failures.length} of the ${lock.udebs.length} udebs ` +
      'that its own index names.',
    hint:
      'The mirror is incomplete or in the middle of an update. Try later, or another mirror; ' +
      'the present lock goes on working.',
    evidence: [{ title: 'Missing', lines: failures.sort() }],
  });
}

async function findFailure(file: PinnedFile, mirror: MediaSources, signal: AbortSignal): Promise<string | undefined> {
  const url = joinUrl(mirror.urls[0] ?? '', file.path);
  const response = await mirror.http.get(url, { method: 'HEAD', signal });
  await response.discard();
  if (response.status !== 200) return `${url}: ${response.status}`;
  const length = response.header('content-length');
  if (length === undefined || Number(length) === file.sizeBytes) return undefined;
  return `${url}: ${length} bytes, not ${file.sizeBytes}`;
}
