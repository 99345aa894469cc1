import { copyFile, rm, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { KvmimgError } from '../errors.ts';
import type { ContentStore } from './content-store.ts';
import { isKnownContent, type KnownContent, nameDigest, readContent } from './digest.ts';
import { describeWriteFailure } from './disk-space.ts';
import type { HttpClient } from './http.ts';
import { isFileUrl, joinUrl, pathOfFileUrl } from './url.ts';
import { downloadVerified, type FetchOptions, mediaHint } from './verified-download.ts';

export type { FetchOptions } from './verified-download.ts';

/** Where pinned files may come from, in this order: the store, local folders, servers. */
export interface MediaSources {
  readonly store: ContentStore;
  readonly http: HttpClient;
  /** Bases of the servers that hold `pool/...`: the mirror first, then the archive. `file:` URLs are local folders. */
  readonly urls: readonly string[];
  /** Folders of local media (`--media`), with `pool/...` below or the files right in them. */
  readonly mediaDirs: readonly string[];
  /** Fetch nothing. */
  readonly offline: boolean;
}

/** A file that is known by its digest; `path` is below the server's base. */
export type FetchedFile = KnownContent & { readonly path: string };

const lockAdvice = 'or make a fresh lock with kvmimg lock';

/**
 * The path of a pinned file in the store, fetched if it must be. Its digest has been checked, and its length where that
 * is known.
 *
 * @param advice what else to do where no server has it
 * @throws KvmimgError `wrong-digest`, `wrong-length` (nothing is kept), `media-missing` with every URL tried,
 *   `mirror-unreachable`, `mirror-broken`, `offline`, `no-space`; the signal's reason.
 */
export async function fetchPinned(
  file: FetchedFile,
  from: MediaSources,
  options: FetchOptions & { readonly advice?: string },
): Promise<string> {
  const stored = await from.store.find(file);
  if (stored !== undefined) return stored;
  const local = await takeLocalMedia(from, [file.path, basename(file.path)], file);
  if (local !== undefined) return local;
  if (from.offline) throw offlineMiss(file);
  const name = basename(file.path);
  const urls = from.urls.filter((base) => !isFileUrl(base)).map((base) => joinUrl(base, file.path));
  const hints = { missing: `${mediaHint(file)}, ${options.advice ?? lockAdvice}.`, wrong: wrongContentHint };
  return downloadVerified({ name, content: file, urls, hints }, from, options);
}

/** Copies the first local file of these names that has the content into the store. Others are passed over. */
export async function takeLocalMedia(
  from: MediaSources,
  names: readonly string[],
  content: KnownContent,
): Promise<string | undefined> {
  const { algorithm, hex } = nameDigest(content);
  for (const path of localFolders(from).flatMap((dir) => names.map((name) => join(dir, name)))) {
    const found = await stat(path).catch(() => undefined);
    if (!found?.isFile() || found.size !== (content.sizeBytes ?? found.size)) continue;
    const partialPath = await from.store.claimPartial(hex);
    await copyFile(path, partialPath).catch(async (error: unknown) => {
      await rm(partialPath, { force: true });
      throw describeWriteFailure(partialPath, error);
    });
    if (isKnownContent(await readContent(partialPath, algorithm), content))
      return from.store.keep(partialPath, content);
    await rm(partialPath, { force: true });
  }
  return undefined;
}

/** Folders of this machine, in the order in which they are searched. */
export function localFolders({ mediaDirs, urls }: Pick<MediaSources, 'mediaDirs' | 'urls'>): readonly string[] {
  return [...mediaDirs, ...urls.filter(isFileUrl).map(pathOfFileUrl)];
}

const wrongContentHint =
  'Nothing was kept. The mirror or a proxy on the way holds another file under this name; try another mirror.';

function offlineMiss(file: FetchedFile): KvmimgError {
  return new KvmimgError({
    code: 'offline',
    message: `${basename(file.path)} is not in the cache nor in a --media folder, and --offline forbids to fetch it.`,
    hint: `${mediaHint(file)}, or build once without --offline.`,
  });
}
