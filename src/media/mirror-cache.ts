import { rm } from 'node:fs/promises';
import { KvmimgError } from '../errors.ts';
import type { ContentStore } from './content-store.ts';
import { type ContentDigest, type ExpectedContent, isExpectedContent, readDigest, sha256Of } from './digest.ts';
import { type DownloadResult, download, type Patience } from './download.ts';
import type { HttpClient } from './http.ts';
import { isPackagePath, MirrorDigests } from './mirror-digests.ts';
import { type MirrorEntries, type MirrorEntry, openMirrorEntries } from './mirror-entries.ts';
import { MirrorCounts, type MirrorStats } from './mirror-stats.ts';
import { looksLikeItsName } from './package-shape.ts';
import { joinUrl } from './url.ts';

export interface MirrorCacheOptions {
  readonly cacheDir: string;
  readonly store: ContentStore;
  readonly http: HttpClient;
  /** Base URLs by the first part of the path: `{ debian: 'http://ftp.debian.org/debian' }`. */
  readonly upstreams: Readonly<Record<string, string>>;
  /** Content served in place of an upstream's, by whole path: bytes, or the path of a file. */
  readonly local?: ReadonlyMap<string, Uint8Array | string>;
  /** Ask no upstream. */
  readonly offline: boolean;
  /** Called while a file arrives. */
  readonly onProgress?: (() => void) | undefined;
  readonly signal: AbortSignal;
  /** An upstream cannot be reached or does not deliver what it should: the build cannot go on. */
  readonly onUpstreamFailure?: (failure: { readonly url: string; readonly error: KvmimgError }) => void;
  /** An upstream does not have a file; often harmless. */
  readonly onMissing?: (missing: { readonly url: string; readonly status: number }) => void;
}

export interface MirrorRequest {
  readonly method: string;
  /** Decoded, without a leading slash: `debian/dists/trixie/InRelease`. */
  readonly path: string;
  /** With an upstream. Default: that of a download. */
  readonly patience?: Patience;
}

export interface MirrorResponse {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string;
  readonly file?: { readonly path: string };
}

export interface MirrorCache {
  readonly handle: (request: MirrorRequest) => Promise<MirrorResponse>;
  readonly stats: () => MirrorStats;
}

/** A file below one upstream. */
interface Target {
  readonly url: string;
  /** Below the upstream. */
  readonly path: string;
  readonly digests: MirrorDigests;
  readonly patience: Patience | undefined;
}

interface FoundFile {
  readonly kind: 'file';
  readonly path: string;
  readonly entry: MirrorEntry;
  readonly from: 'mirror' | 'cache';
}

type Found = FoundFile | { readonly kind: 'missing'; readonly status: number };

/**
 * A pull-through cache of package mirrors on disk. A file is served only when it is complete and has the digest that
 * the mirror's own indices give. Requests for one file at the same time fetch it once. Packages that an index has once
 * vouched for are not asked for again; all else is, once a build, and a package that no index names must at least look
 * like one.
 */
export function openMirrorCache(options: MirrorCacheOptions): MirrorCache {
  const cache = new PullThrough(options, openMirrorEntries(options.cacheDir));
  return { handle: (request) => cache.handle(request), stats: () => cache.counts.stats() };
}

class PullThrough {
  readonly counts = new MirrorCounts();
  readonly #options: MirrorCacheOptions;
  readonly #entries: MirrorEntries;
  readonly #digests = new Map<string, MirrorDigests>();
  readonly #flights = new Map<string, Promise<Found>>();
  /** Indices that this build has asked for: it sees one state of the mirror from its beginning to its end. */
  readonly #fresh = new Set<string>();

  constructor(options: MirrorCacheOptions, entries: MirrorEntries) {
    this.#options = options;
    this.#entries = entries;
    for (const name of Object.keys(options.upstreams)) {
      this.#digests.set(name, new MirrorDigests(options.store));
    }
  }

  async handle({ method, path, patience }: MirrorRequest): Promise<MirrorResponse> {
    const local = this.#options.local?.get(path);
    if (local !== undefined) return serveLocal(local);
    const target = this.#findTarget(path, patience);
    if (target === undefined) return { status: 404 };
    const joined = this.#flights.get(target.url);
    try {
      const found = await (joined ?? this.#startFlight(target));
      if (found.kind === 'missing') return { status: found.status };
      if (method === 'GET') this.counts.count(target.path, found.entry.sizeBytes, joined ? 'cache' : found.from);
      return { status: 200, headers: headersOf(found.entry), file: { path: found.path } };
    } catch (error) {
      this.#options.signal.throwIfAborted();
      if (!(error instanceof KvmimgError)) throw error;
      return { status: 502, body: `${error.message}\n` };
    }
  }

  #findTarget(path: string, patience: Patience | undefined): Target | undefined {
    const [name = '', ...parts] = path.split('/');
    // apt asks for ./InRelease of a repository without suites.
    const rest = parts.filter((part) => part !== '.');
    const base = this.#options.upstreams[name];
    const digests = this.#digests.get(name);
    if (base === undefined || digests === undefined) return undefined;
    // A folder's listing is no file, and dots could leave the mirror's own folder.
    if (rest.length === 0 || rest.some((part) => part === '' || part === '..')) return undefined;
    return { url: joinUrl(base, rest.join('/')), path: rest.join('/'), digests, patience };
  }

  #startFlight(target: Target): Promise<Found> {
    const flight = this.#obtain(target)
      .catch((error: unknown) => {
        if (error instanceof KvmimgError && !this.#options.signal.aborted) {
          this.#options.onUpstreamFailure?.({ url: target.url, error });
        }
        throw error;
      })
      .finally(() => this.#flights.delete(target.url));
    this.#flights.set(target.url, flight);
    return flight;
  }

  async #obtain(target: Target): Promise<Found> {
    const expected = await target.digests.find(target.path);
    const found =
      (await (expected ? this.#findExpected(target, expected) : this.#findUnasked(target))) ??
      (await this.#fetch(target, expected));
    if (found.kind === 'file') {
      this.#fresh.add(target.url);
      await target.digests.learn(target.path, found.entry, found.path);
    }
    return found;
  }

  /** What the mirror's index wants, whichever mirror has brought it. */
  async #findExpected(target: Target, expected: ExpectedContent): Promise<FoundFile | undefined> {
    const entry = await this.#entries.find(target.url);
    // A build that knows no index must not be given what an index has contradicted.
    if (entry && entry.sha256 !== expected.sha256) await this.#entries.remove(target.url);
    const path = await this.#options.store.find(expected);
    if (path === undefined) return undefined;
    const same = entry?.sha256 === expected.sha256 ? entry : { url: target.url, ...(await readDigest(path)) };
    const verified = { ...same, verified: true };
    if (entry?.sha256 !== expected.sha256 || !entry.verified) await this.#entries.save(verified);
    return { kind: 'file', path, entry: verified, from: 'cache' };
  }

  /** What can be served without asking the mirror where no index names it. */
  async #findUnasked(target: Target): Promise<FoundFile | undefined> {
    const found = await this.#findFetchedBefore(target);
    const isFinal = found?.entry.verified && isPackagePath(target.path);
    return isFinal || this.#fresh.has(target.url) || this.#options.offline ? found : undefined;
  }

  /** What the mirror gave last time, and may answer 304 for. */
  async #findFetchedBefore(target: Target): Promise<FoundFile | undefined> {
    const entry = await this.#entries.find(target.url);
    if (entry === undefined) return undefined;
    const path = await this.#options.store.find(entry);
    if (path === undefined || !(await looksLikeItsName(target.path, path))) return undefined;
    return { kind: 'file', path, entry, from: 'cache' };
  }

  async #fetch(target: Target, expected: ExpectedContent | undefined): Promise<Found> {
    if (this.#options.offline) throw offlineMiss(target.url);
    const first = await this.#fetchOnce(target, expected);
    const found = 'wrong' in first ? await this.#fetchOnce(target, expected) : first;
    if ('wrong' in found) throw found.wrong;
    return found;
  }

  /** One download; `wrong` tells why a file was dropped that cannot be the one wanted. */
  async #fetchOnce(
    target: Target,
    expected: ExpectedContent | undefined,
  ): Promise<Found | { readonly wrong: KvmimgError }> {
    const { store, http, signal } = this.#options;
    const previous = expected ? undefined : await this.#findFetchedBefore(target);
    const partialPath = await store.claimPartial(sha256Of(target.url));
    const result = await download({
      http,
      url: target.url,
      partialPath,
      // A beginning that an earlier process has left may be damaged; only a known digest would tell.
      immutable: isImmutable(target.path) && expected !== undefined,
      sizeBytes: expected?.sizeBytes,
      headers: previous ? conditionalHeaders(previous.entry) : {},
      patience: target.patience,
      signal,
      onProgress: this.#options.onProgress,
    });
    if (result.kind === 'not-modified' && previous) return previous;
    if (result.kind !== 'complete') return this.#reportMissing(target, result);
    const digest = await readDigest(partialPath);
    const wrong = expected
      ? findWrongDigest(target.url, digest, expected)
      : await findWrongShape(target.url, target.path, partialPath);
    if (wrong) {
      await rm(partialPath, { force: true });
      return { wrong };
    }
    const { validators } = result;
    return this.#keep(partialPath, { url: target.url, ...digest, ...validators, verified: expected !== undefined });
  }

  #reportMissing(target: Target, result: DownloadResult): Found {
    const status = result.kind === 'refused' ? result.status : 404;
    this.#options.onMissing?.({ url: target.url, status });
    return { kind: 'missing', status };
  }

  async #keep(partialPath: string, entry: MirrorEntry): Promise<Found> {
    const path = await this.#options.store.keep(partialPath, entry);
    await this.#entries.save(entry);
    return { kind: 'file', path, entry, from: 'mirror' };
  }
}

function isImmutable(path: string): boolean {
  return isPackagePath(path) || path.includes('/by-hash/');
}

function conditionalHeaders(entry: MirrorEntry): Record<string, string> {
  return {
    ...(entry.etag === undefined ? {} : { 'if-none-match': entry.etag }),
    ...(entry.lastModified === undefined ? {} : { 'if-modified-since': entry.lastModified }),
  };
}

function headersOf(entry: MirrorEntry): Record<string, string> {
  return {
    'content-type': 'application/octet-stream',
    ...(entry.etag === undefined ? {} : { etag: entry.etag }),
    ...(entry.lastModified === undefined ? {} : { 'last-modified': entry.lastModified }),
  };
}

function serveLocal(local: Uint8Array | string): MirrorResponse {
  return typeof local === 'string' ? { status: 200, file: { path: local } } : { status: 200, body: local };
}

function offlineMiss(url: string): KvmimgError {
  return new KvmimgError({
    code: 'offline',
    message: `The installer asked for ${url}, which is not in the cache, and --offline forbids to fetch it.`,
    hint: 'Build the same recipe once without --offline.',
  });
}

function findWrongDigest(url: string, actual: ContentDigest, expected: ExpectedContent): KvmimgError | undefined {
  if (isExpectedContent(actual, expected)) return undefined;
  return new KvmimgError({
    code: 'wrong-digest',
    message: `${url} is not what the mirror's index says: its SHA-256 is ${actual.sha256}, not ${expected.sha256}.`,
    hint: 'The mirror may be in the middle of an update. Try again in some minutes, or name another one with --mirror.',
  });
}

async function findWrongShape(url: string, path: string, filePath: string): Promise<KvmimgError | undefined> {
  if (await looksLikeItsName(path, filePath)) return undefined;
  return new KvmimgError({
    code: 'mirror-broken',
    message: `The mirror did not deliver ${url}: what came is no package, or not the whole of it.`,
    hint: 'A proxy on the way may have answered in its place. Look at it with curl, or name another mirror with --mirror.',
  });
}
