import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { KvmimgError } from '../errors.ts';
import { withFileLock } from '../host/file-lock.ts';
import type { PlannedIso } from '../plan/plan.ts';
import type { ContentReader } from './content-store.ts';
import { isKnownContent, type KnownContent, type NamedDigest, nameDigest, plannedContent } from './digest.ts';
import { type DigestMemory, openDigestMemory } from './digest-memory.ts';
import { checkLock, findIsoContent, type IsoContent } from './iso-digest.ts';
import type { IsoSources } from './iso-sources.ts';
import { findLocalIso, type Rejected, wrongLocalIso } from './local-iso.ts';
import { openMediaLock } from './media-lock.ts';
import { isFileUrl } from './url.ts';
import { downloadVerified, type FetchOptions, mediaHint, type WantedFile, wrongDigest } from './verified-download.ts';

/** An ISO on this machine. It may be the user's own file, so nothing may change it. */
export interface FetchedIso {
  readonly path: string;
  readonly digest: NamedDigest;
}

/**
 * The ISO of a plan: the user's own file, else from the store, from folders of local media and `file:` URLs (all used
 * where they are), else fetched. Its digest has been checked against the one of the plan, of the lock of an earlier build,
 * or of the distribution's file of checksums.
 *
 * @throws KvmimgError `wrong-digest`, `wrong-length`, `media-changed`, `media-missing` with every URL tried,
 *   `unknown-digest`, `checksum-missing`, `bad-signature`, `mirror-unreachable`, `mirror-broken`, `offline`, `no-space`,
 *   `media-lock`; the signal's reason.
 */
export async function fetchIso(iso: PlannedIso, from: IsoSources, options: FetchOptions): Promise<FetchedIso> {
  const memory = openDigestMemory(from.cacheDir);
  const read = makeReader(memory, options);
  if (iso.path !== undefined) return takeOwnIso(iso, iso.path, read);
  const known = await findIsoContent(iso, from, options);
  if (known === undefined) return takeUnknownIso(iso, from, read);
  const { content } = known;
  const digest = nameDigest(content);
  const stored = await from.store.find(content, read);
  if (stored !== undefined) return { path: stored, digest };
  const local = await findLocalIso(iso, { content, mediaDirs: from.mediaDirs, read });
  if ('path' in local) return { path: local.path, digest };
  const path = await download({ iso, known, memory, rejected: local.rejected }, from, options);
  return { path, digest };
}

/** Reads a file through where it is not remembered, and tells the progress. */
function makeReader(memory: DigestMemory, { signal, onProgress }: FetchOptions): ContentReader {
  return async (path, algorithm) => {
    const { size } = await stat(path);
    return memory.read(path, algorithm, { signal, onProgress: (bytes) => onProgress?.(bytes, size) });
  };
}

async function takeOwnIso(iso: PlannedIso, path: string, read: ContentReader): Promise<FetchedIso> {
  const content = plannedContent(iso);
  const found = await stat(path).catch(() => undefined);
  if (!found?.isFile()) {
    const hint = 'Name the file of the ISO with --iso.';
    throw new KvmimgError({ code: 'media-missing', message: `There is no file ${path}.`, hint });
  }
  const { algorithm, hex, sizeBytes } = await read(path, content ? nameDigest(content).algorithm : 'sha256');
  const hint =
    'Fetch the ISO again, or correct installer.sha256 in the recipe. If the file was changed just now, start again.';
  if (content && !isKnownContent({ algorithm, hex, sizeBytes }, content)) {
    throw wrongDigest(path, { read: { algorithm, hex, sizeBytes }, content, hint });
  }
  return { path, digest: { algorithm, hex } };
}

/** Of media that only customers get, the first one seen in a folder of local media is the one that later builds want. */
async function takeUnknownIso(iso: PlannedIso, from: IsoSources, read: ContentReader): Promise<FetchedIso> {
  const local = await findLocalIso(iso, { content: undefined, mediaDirs: from.mediaDirs, read });
  if (!('path' in local)) throw iso.urls.length === 0 ? onlyByHand(iso) : unknownDigest(iso);
  const { path, content } = local;
  await openMediaLock(from.cacheDir, from.lockName).save(iso.fileName, { content, foundIn: path });
  return { path, digest: nameDigest(content) };
}

interface Download {
  readonly iso: PlannedIso;
  readonly known: IsoContent;
  readonly memory: DigestMemory;
  readonly rejected: readonly Rejected[];
}

async function download({ iso, known, memory, rejected }: Download, from: IsoSources, options: FetchOptions) {
  const { content } = known;
  const [wrong] = rejected;
  const wanted = makeWanted(iso, known);
  if (wanted.urls.length === 0) throw wrong ? wrongLocalIso(wrong, wanted) : onlyByHand(iso, content);
  if (from.offline) throw wrong ? wrongLocalIso(wrong, wanted) : offlineMiss(iso, content);
  if (known.from === 'lock') await checkLock(iso, from, options);
  const { algorithm, hex } = nameDigest(content);
  // Builds that start together fetch an ISO once.
  return withFileLock(join(from.cacheDir, 'locks', `media-${hex.slice(0, 32)}.lock`), options, async () => {
    const stored = await from.store.find(content);
    if (stored !== undefined) return stored;
    const path = await downloadVerified(wanted, from, options).catch((error: unknown) => {
      throw wrong && isNotThere(error) ? wrongLocalIso(wrong, wanted, error) : error;
    });
    await memory.remember(path, { algorithm, hex, sizeBytes: (await stat(path)).size });
    return path;
  });
}

function makeWanted({ fileName, urls }: PlannedIso, { content, from }: IsoContent): WantedFile {
  const byHand = mediaHint(content, fileName);
  const wrong =
    from === 'lock'
      ? 'An earlier build has found the digest that was expected. If the change is meant, accept it with --refresh.'
      : `${byHand}, or name an ISO that you trust with --iso.`;
  return {
    name: fileName,
    content,
    urls: urls.filter((url) => !isFileUrl(url)),
    hints: {
      missing: `${byHand}, or name the ISO with --iso.`,
      unreachable: `Check the network and the proxy. Or without them: ${byHand.replace(/^P/, 'p')}.`,
      wrong,
    },
  };
}

function isNotThere(error: unknown): boolean {
  return error instanceof KvmimgError && /^(media-missing|mirror-unreachable|mirror-broken)$/.test(error.code);
}

function onlyByHand({ fileName }: PlannedIso, content?: KnownContent): KvmimgError {
  const byHand = content ? mediaHint(content, fileName) : `Put ${fileName} into a folder and name it with --media`;
  return new KvmimgError({
    code: 'media-missing',
    message: `${fileName} is not there, and no URL of it is known: only its vendor's customers get it.`,
    hint: `${byHand}, or name the ISO with --iso.`,
  });
}

function unknownDigest({ fileName, urls }: PlannedIso): KvmimgError {
  return new KvmimgError({
    code: 'unknown-digest',
    message: `${urls.join(', ')} was not fetched: nothing says what ${fileName} must hold.`,
    hint: 'Give its SHA-256 as installer.sha256 in the recipe.',
  });
}

function offlineMiss({ fileName }: PlannedIso, content: KnownContent): KvmimgError {
  return new KvmimgError({
    code: 'offline',
    message: `${fileName} is not in the cache nor in a --media folder, and --offline forbids to fetch it.`,
    hint: `${mediaHint(content, fileName)}, or build once without --offline.`,
  });
}
