import { KvmimgError } from '../errors.ts';
import type { PlannedIso } from '../plan/plan.ts';
import { describeDigest, isSameDigest, type KnownContent, nameDigest, plannedContent } from './digest.ts';
import { checksumMissing, findIsoChecksum } from './iso-checksum.ts';
import type { IsoSources } from './iso-sources.ts';
import { openMediaLock } from './media-lock.ts';
import type { FetchOptions } from './verified-download.ts';

/** What an ISO must hold, and who says so: the plan, an earlier build, or the file of checksums that was just read. */
export interface IsoContent {
  readonly content: KnownContent;
  readonly from: 'plan' | 'lock' | 'checksums';
}

/**
 * What an ISO must hold. What a file of checksums says is written to the lock, and holds for later builds. Undefined where
 * nobody says anything.
 *
 * @throws KvmimgError `checksum-missing`, `bad-signature`, `offline`, `mirror-unreachable`, `media-lock`; the signal's reason
 */
export async function findIsoContent(
  iso: PlannedIso,
  from: IsoSources,
  options: FetchOptions,
): Promise<IsoContent | undefined> {
  const planned = plannedContent(iso);
  if (planned !== undefined) return { content: planned, from: 'plan' };
  const lock = openMediaLock(from.cacheDir, from.lockName);
  const locked = from.refresh && !from.offline ? undefined : await lock.find(iso.fileName);
  if (locked !== undefined) return { content: locked.content, from: 'lock' };
  if (iso.checksums === undefined) return undefined;
  const found = await findIsoChecksum({ iso, facts: iso.checksums }, from, options);
  if (!('content' in found)) throw checksumMissing(iso, iso.checksums, found);
  await lock.save(iso.fileName, found);
  return { content: found.content, from: 'checksums' };
}

/**
 * Asks, before gigabytes are fetched, whether the file of checksums still says what the lock does. Where it cannot be
 * read any more, the lock stands.
 *
 * @throws KvmimgError `media-changed`, `bad-signature`; the signal's reason
 */
export async function checkLock(iso: PlannedIso, from: IsoSources, options: FetchOptions): Promise<void> {
  const { path, find } = openMediaLock(from.cacheDir, from.lockName);
  const locked = await find(iso.fileName);
  if (locked === undefined || iso.checksums === undefined) return;
  const found = await findIsoChecksum({ iso, facts: iso.checksums }, from, options);
  if (!('content' in found) || isSameDigest(found.content, locked.content)) return;
  throw new KvmimgError({
    code: 'media-changed',
    message:
      `${iso.fileName} is not what it was: ${found.foundIn} now says ${describeDigest(nameDigest(found.content))}, ` +
      `an earlier build found ${describeDigest(nameDigest(locked.content))}.`,
    hint: `If the change is meant, accept it with --refresh. What was found is in ${path}.`,
  });
}
