import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PinnedFile } from '../../../src/distro/schema.ts';
import { KvmimgError } from '../../../src/errors.ts';
import { Scope } from '../../../src/lifecycle/scope.ts';
import { openContentStore } from '../../../src/media/content-store.ts';
import { sha256Of } from '../../../src/media/digest.ts';
import { type HttpClientOptions, openHttpClient } from '../../../src/media/http.ts';
import type { MediaSources } from '../../../src/media/pinned-file.ts';
import { type FakeFile, type FakeMirror, startFakeMirror } from './fake-mirror.ts';

/** A scratch folder with a cache, and everything that a fetch needs; closing the scope removes all of it. */
export interface MediaFixture {
  readonly dir: string;
  readonly cacheDir: string;
  readonly scope: Scope;
  readonly signal: AbortSignal;
  readonly abort: (reason: unknown) => void;
  readonly startMirror: (files?: Record<string, string | Uint8Array | FakeFile>) => Promise<FakeMirror>;
  readonly sources: (overrides: Partial<MediaSources> & HttpOverrides) => MediaSources;
}

interface HttpOverrides {
  readonly httpOptions?: Partial<HttpClientOptions>;
}

export async function makeMediaFixture(): Promise<MediaFixture> {
  const scope = new Scope();
  const dir = await mkdtemp(join(tmpdir(), 'kvmimg-media-'));
  scope.defer('remove the scratch folder', () => rm(dir, { recursive: true, force: true }));
  const cacheDir = join(dir, 'cache');
  const controller = new AbortController();
  return {
    dir,
    cacheDir,
    scope,
    signal: controller.signal,
    abort: (reason) => controller.abort(reason),
    startMirror: async (files) => {
      const mirror = await startFakeMirror(files);
      scope.defer('stop the mirror', mirror.close);
      return mirror;
    },
    sources: ({ httpOptions, ...overrides }) => ({
      store: openContentStore(cacheDir),
      http: openHttpClient({ scope, ...httpOptions }),
      urls: [],
      mediaDirs: [],
      offline: false,
      ...overrides,
    }),
  };
}

export function makePinnedFile(path: string, content: string | Uint8Array): PinnedFile {
  return { path, sizeBytes: Buffer.byteLength(content), sha256: sha256Of(content) };
}

/** Everything in the cache, by path. */
export async function listCache(cacheDir: string): Promise<string[]> {
  const entries = await readdir(cacheDir, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isFile()).map((entry) => entry.name);
}

/** A URL of 127.0.0.1 where nothing listens. */
export async function makeDeadUrl(): Promise<string> {
  const mirror = await startFakeMirror();
  await mirror.close();
  return mirror.url;
}

/** The expected failure of some work. Anything else fails the test. */
export async function failureOf(work: Promise<unknown>): Promise<KvmimgError> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof KvmimgError) return error;
  throw new Error(`expected a KvmimgError, got ${String(error)}`, { cause: error });
}
