import { rm, stat } from 'node:fs/promises';
import { KvmimgError } from '../errors.ts';
import type { ContentStore } from './content-store.ts';
import {
  describeAlgorithm,
  describeDigest,
  isKnownContent,
  type KnownContent,
  nameDigest,
  type ReadContent,
  readContent,
} from './digest.ts';
import { download, type OnProgress } from './download.ts';
import type { HttpClient } from './http.ts';

export interface FetchOptions {
  readonly signal: AbortSignal;
  readonly onProgress?: OnProgress | undefined;
}

/** A file that is fetched because nothing nearer has it. */
export interface WantedFile {
  /** What messages call it. */
  readonly name: string;
  readonly content: KnownContent;
  /** Where it may be. The first that has it is taken; another content there ends the fetch. */
  readonly urls: readonly string[];
  readonly hints: {
    /** What to do where no server has it. */
    readonly missing: string;
    /** What to do where no server can be reached. Default: what the failed connection suggests. */
    readonly unreachable?: string;
    /** What to do about a server that has another content under this name. */
    readonly wrong: string;
  };
}

interface Target {
  readonly store: ContentStore;
  readonly http: HttpClient;
}

/** What one place said about a file it did not give. */
export interface Refusal {
  /** A URL or a path. */
  readonly place: string;
  readonly reason: string;
  /** Set where the server could not be asked at all. */
  readonly error?: KvmimgError;
}

/**
 * Fetches a file into the store from the first server that has it, and gives its path. Its digest, and its length where
 * it is known, have been checked.
 *
 * @throws KvmimgError `wrong-digest`, `wrong-length` (nothing is kept), `media-missing` with every URL tried,
 *   `mirror-unreachable`, `mirror-broken`, `no-space`; the signal's reason.
 */
export async function downloadVerified(wanted: WantedFile, target: Target, options: FetchOptions): Promise<string> {
  const partialPath = await target.store.claimPartial(nameDigest(wanted.content).hex);
  const refusals: Refusal[] = [];
  for (const url of wanted.urls) {
    const outcome = await fetchFrom(url, { wanted, target, partialPath, options });
    if (typeof outcome === 'string') return outcome;
    refusals.push(outcome);
  }
  throw nowhereFound(wanted.name, refusals, wanted.hints);
}

interface Fetch {
  readonly wanted: WantedFile;
  readonly target: Target;
  readonly partialPath: string;
  readonly options: FetchOptions;
}

async function fetchFrom(url: string, { wanted, target, partialPath, options }: Fetch): Promise<string | Refusal> {
  const { content } = wanted;
  const request = { http: target.http, url, partialPath, immutable: true, sizeBytes: content.sizeBytes, ...options };
  for (;;) {
    const continued = (await stat(partialPath).catch(() => undefined)) !== undefined;
    const result = await download(request).catch((error: unknown) => toRefusal(url, error));
    if ('reason' in result) return result;
    if (result.kind !== 'complete') return { place: url, reason: describeStatus(result) };
    const read = await readContent(partialPath, nameDigest(content).algorithm, { signal: options.signal });
    if (isKnownContent(read, content)) return target.store.keep(partialPath, content);
    await rm(partialPath, { force: true });
    // What an earlier process had left may be to blame, so a continued file gets a second try from its beginning.
    if (!continued) throw wrongDigest(url, { read, content, hint: wanted.hints.wrong });
  }
}

/** The next server may help where this one cannot be reached; anything else ends the fetch. */
export function toRefusal(place: string, error: unknown): Refusal {
  if (!(error instanceof KvmimgError) || !['mirror-unreachable', 'mirror-broken'].includes(error.code)) throw error;
  return { place, reason: error.message, error };
}

export function describeStatus(result: { readonly kind: string; readonly status?: number }): string {
  return `answers ${result.status ?? result.kind}`;
}

/** `https://mirror/file: answers 404` */
export function describeRefusal({ place, reason }: Refusal): string {
  return `${place}: ${reason.replace(/\.$/, '')}`;
}

/** What to tell where no place has a file: `mirror-unreachable` or the like where none could be asked, else `media-missing`. */
export function nowhereFound(
  name: string,
  refusals: readonly Refusal[],
  hints: Pick<WantedFile['hints'], 'missing' | 'unreachable'>,
): KvmimgError {
  const lines = refusals.map(describeRefusal);
  const evidence = [{ title: 'Tried', lines }];
  const [first] = refusals;
  if (first?.error && refusals.every(({ error }) => error !== undefined)) {
    const { code, message, hint } = first.error;
    return new KvmimgError({ code, message, hint: hints.unreachable ?? hint, evidence, cause: first.error });
  }
  return new KvmimgError({
    code: 'media-missing',
    message: `No server has ${name}: ${lines.join('; ')}.`,
    hint: hints.missing,
    evidence,
  });
}

interface Mismatch {
  readonly read: ReadContent;
  readonly content: KnownContent;
  readonly hint: string;
  readonly cause?: unknown;
}

/** Names the place and both digests. */
export function wrongDigest(place: string, { read, content, hint, cause }: Mismatch): KvmimgError {
  return new KvmimgError({
    code: 'wrong-digest',
    message: `${place} is not the file that was expected: ${describeMismatch(read, content)}.`,
    hint,
    cause,
  });
}

/** `its SHA-256 is ab..., not cd...` */
export function describeMismatch(read: ReadContent, content: KnownContent): string {
  const wanted = nameDigest(content);
  if (read.hex === wanted.hex) return `it has ${read.sizeBytes} bytes, not ${content.sizeBytes}`;
  return `its ${describeAlgorithm(read.algorithm)} is ${read.hex}, not ${wanted.hex}`;
}

/** `Put the file (SHA-256 ...) into a folder and name it with --media` */
export function mediaHint(content: KnownContent, fileName = 'the file'): string {
  return `Put ${fileName} (${describeDigest(nameDigest(content))}) into a folder and name it with --media`;
}
