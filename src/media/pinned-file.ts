import { copyFile, rm, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { PinnedFile } from '../distro/schema.ts';
import { KvmimgError } from '../errors.ts';
import type { ContentStore } from './content-store.ts';
import { type ContentDigest, isExpectedContent, readDigest } from './digest.ts';
import { describeWriteFailure } from './disk-space.ts';
import { download, type OnProgress } from './download.ts';
import type { HttpClient } from './http.ts';
import { joinUrl } from './url.ts';

/** Where pinned files may come from, in this order: the store, local folders, servers. */
export interface MediaSources {
  readonly store: ContentStore;
  readonly http: HttpClient;
  /** Bases of the servers that hold `pool/...`: the mirror first, then the archive. */
  readonly urls: readonly string[];
  /** Folders of local media (`--media`), with `pool/...` below or the files right in them. */
  readonly mediaDirs: readonly string[];
  /** Fetch nothing. */
  readonly offline: boolean;
}

export interface FetchOptions {
  readonly signal: AbortSignal;
  readonly onProgress?: OnProgress | undefined;
}

/** What one server said about a file it did not give. */
interface Refusal {
  readonly url: string;
  readonly reason: string;
  /** Set where the server could not be asked at all. */
  readonly error?: KvmimgError;
}

/**
 * The path of a pinned file in the store, fetched if it must be. Its length and digest have been checked.
 *
 * @throws KvmimgError `wrong-digest`, `wrong-length` (nothing is kept), `media-missing` with every URL tried,
 *   `mirror-unreachable`, `mirror-broken`, `offline`, `no-space`; the signal's reason.
 */
export async function fetchPinned(file: PinnedFile, from: MediaSources, options: FetchOptions): Promise<string> {
  const stored = await from.store.find(file);
  if (stored !== undefined) return stored;
  const local = await takeLocalMedia(from, [file.path, basename(file.path)], file);
  if (local !== undefined) return local;
  if (from.offline) throw offlineMiss(file);
  const partialPath = await from.store.claimPartial(file.sha256);
  const refusals: Refusal[] = [];
  for (const base of from.urls) {
    const url = joinUrl(base, file.path);
    const outcome = await fetchFrom(url, { file, from, partialPath, options });
    if (typeof outcome === 'string') return outcome;
    refusals.push(outcome);
  }
  throw notFetched(file, refusals);
}

/** Copies the first local file of these names that has the content into the store. Others are passed over. */
export async function takeLocalMedia(
  from: MediaSources,
  names: readonly string[],
  content: ContentDigest,
): Promise<string | undefined> {
  for (const path of from.mediaDirs.flatMap((dir) => names.map((name) => join(dir, name)))) {
    const found = await stat(path).catch(() => undefined);
    if (!found?.isFile() || found.size !== content.sizeBytes) continue;
    const partialPath = await from.store.claimPartial(content.sha256);
    await copyFile(path, partialPath).catch(async (error: unknown) => {
      await rm(partialPath, { force: true });
      throw describeWriteFailure(partialPath, error);
    });
    const digest = await readDigest(partialPath);
    if (isExpectedContent(digest, content)) return from.store.keep(partialPath, digest);
    await rm(partialPath, { force: true });
  }
  return undefined;
}

interface Fetch {
  readonly file: PinnedFile;
  readonly from: MediaSources;
  readonly partialPath: string;
  readonly options: FetchOptions;
}

async function fetchFrom(url: string, { file, from, partialPath, options }: Fetch): Promise<string | Refusal> {
  const request = { http: from.http, url, partialPath, immutable: true, sizeBytes: file.sizeBytes, ...options };
  for (;;) {
    const continued = (await stat(partialPath).catch(() => undefined)) !== undefined;
    const result = await download(request).catch((error: unknown) => toRefusal(url, error));
    if ('reason' in result) return result;
    if (result.kind !== 'complete') return { url, reason: describeStatus(result) };
    const digest = await readDigest(partialPath);
    if (isExpectedContent(digest, file)) return from.store.keep(partialPath, digest);
    await rm(partialPath, { force: true });
    // What an earlier process had left may be to blame, so a continued file gets a second try from its beginning.
    if (!continued) throw wrongDigest(url, file, digest);
  }
}

/** The next server may help where this one cannot be reached; anything else ends the fetch. */
function toRefusal(url: string, error: unknown): Refusal {
  if (!(error instanceof KvmimgError) || !['mirror-unreachable', 'mirror-broken'].includes(error.code)) throw error;
  return { url, reason: error.message, error };
}

function describeStatus(result: { readonly kind: string; readonly status?: number }): string {
  return `answers ${result.status ?? result.kind}`;
}

function notFetched(file: PinnedFile, refusals: readonly Refusal[]): KvmimgError {
  const name = basename(file.path);
  const evidence = [{ title: 'Tried', lines: refusals.map(describeRefusal) }];
  const [first] = refusals;
  if (first?.error && refusals.every(({ error }) => error !== undefined)) {
    const { code, message, hint } = first.error;
    return new KvmimgError({ code, message, hint, evidence, cause: first.error });
  }
  return new KvmimgError({
    code: 'media-missing',
    message: `No server has ${name}: ${refusals.map(describeRefusal).join('; ')}.`,
    hint: `${mediaHint(file)}, or make a fresh lock with kvmimg lock.`,
    evidence,
  });
}

function describeRefusal({ url, reason }: Refusal): string {
  return `${url}: ${reason.replace(/\.$/, '')}`;
}

function wrongDigest(url: string, file: PinnedFile, digest: ContentDigest): KvmimgError {
  return new KvmimgError({
    code: 'wrong-digest',
    message: `${url} is not the file that was expected: its SHA-256 is ${digest.sha256}, not ${file.sha256}.`,
    hint: 'Nothing was kept. The mirror or a proxy on the way holds another file under this name; try another mirror.',
  });
}

function offlineMiss(file: PinnedFile): KvmimgError {
  return new KvmimgError({
    code: 'offline',
    message: `${basename(file.path)} is not in the cache nor in a --media folder, and --offline forbids to fetch it.`,
    hint: `${mediaHint(file)}, or build once without --offline.`,
  });
}

function mediaHint(file: PinnedFile): string {
  return `Put the file (SHA-256 ${file.sha256}) into a folder and name it with --media`;
}
