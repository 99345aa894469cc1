import { createHash } from 'node:crypto';
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openContentStore } from '../../../src/media/content-store.ts';
import { sha256Of } from '../../../src/media/digest.ts';
import { fetchOnce, isoContent, makeIso } from './iso-fixture.ts';
import { failureOf, listCache, type MediaFixture, makeDeadUrl, makeMediaFixture } from './media-fixture.ts';

const sha256 = sha256Of(isoContent);
const sha512 = createHash('sha512').update(isoContent).digest('hex');
const other = Buffer.alloc(isoContent.length, 'other ');

let fixture: MediaFixture;
let mediaDir: string;
beforeEach(async () => {
  fixture = await makeMediaFixture();
  mediaDir = join(fixture.dir, 'media');
  await mkdir(mediaDir);
});
afterEach(() => fixture.scope.close());

const isoMirror = () => fixture.startMirror({ 'server.iso': isoContent });
const urlsOf = (...mirrors: { url: string }[]) => mirrors.map(({ url }) => `${url}/server.iso`);

async function putLocal(content: Uint8Array, name = 'server.iso'): Promise<string> {
  const path = join(mediaDir, name);
  await writeFile(path, content);
  return path;
}

describe('fetchIso of an ISO whose digest is known', () => {
  it.each([
    ['SHA-256', { sha256 }, { algorithm: 'sha256', hex: sha256 }],
    ['SHA-512', { sha512 }, { algorithm: 'sha512', hex: sha512 }],
    ['both', { sha256, sha512 }, { algorithm: 'sha256', hex: sha256 }],
  ])('fetches it once, by its %s, and tells the progress', async (_, facts, digest) => {
    const mirror = await isoMirror();
    const iso = makeIso({ urls: urlsOf(mirror), ...facts });
    const seen: unknown[] = [];
    const fetched = await fetchOnce(fixture, iso, { onProgress: (...progress) => seen.push(progress) });
    expect(fetched).toEqual({ path: join(fixture.cacheDir, 'media', digest.hex), digest });
    expect(isoContent.equals(await readFile(fetched.path))).toBe(true);
    expect(seen.at(-1)).toEqual([isoContent.length, isoContent.length]);
    expect(await fetchOnce(fixture, iso, { offline: true })).toEqual(fetched);
    expect(mirror.requests).toHaveLength(1);
  });

  it('does not read it through again in the next build', async () => {
    const iso = makeIso({ urls: urlsOf(await isoMirror()), sha256 });
    await fetchOnce(fixture, iso);
    const seen: unknown[] = [];
    await fetchOnce(fixture, iso, { onProgress: (...progress) => seen.push(progress) });
    expect(seen).toEqual([]);
  });

  it('fetches it again where the stored file was damaged', async () => {
    const iso = makeIso({ urls: urlsOf(await isoMirror()), sha256 });
    const { path } = await fetchOnce(fixture, iso);
    await writeFile(path, other);
    expect(isoContent.equals(await readFile((await fetchOnce(fixture, iso)).path))).toBe(true);
  });

  it('goes on where a cut connection ended, though no length is known', async () => {
    const mirror = await fixture.startMirror({ 'server.iso': { body: isoContent, cuts: [100_000] } });
    await fetchOnce(fixture, makeIso({ urls: urlsOf(mirror), sha256 }));
    expect(mirror.requests.map(({ headers }) => headers.range)).toEqual([undefined, 'bytes=100000-']);
  });

  it.each([
    ['a part', isoContent.subarray(0, 200_000), [200_000]],
    ['all', isoContent, [isoContent.length]],
    ['more than there is', Buffer.concat([isoContent, isoContent]), [2 * isoContent.length, undefined]],
  ])('takes over %s that an ended process has left', async (_, left, offsets) => {
    const own = await openContentStore(fixture.cacheDir).claimPartial(sha512);
    await writeFile(own.replace(/(-\d+-)[^.]*/, '$1nobody'), left);
    const mirror = await isoMirror();
    const { path } = await fetchOnce(fixture, makeIso({ urls: urlsOf(mirror), sha512 }));
    expect(isoContent.equals(await readFile(path))).toBe(true);
    const ranges = offsets.map((offset) => (offset === undefined ? undefined : `bytes=${offset}-`));
    expect(mirror.requests.map(({ headers }) => headers.range)).toEqual(ranges);
  });

  it('is fetched once by builds that start together', async () => {
    const mirror = await isoMirror();
    const iso = makeIso({ urls: urlsOf(mirror), sha256 });
    await Promise.all([1, 2, 3].map(() => fetchOnce(fixture, iso)));
    expect(mirror.requests).toHaveLength(1);
  });

  it('asks the archive where the release has moved', async () => {
    const [release, archive] = [await fixture.startMirror(), await isoMirror()];
    const { path } = await fetchOnce(fixture, makeIso({ urls: urlsOf(release, archive), sha256 }));
    expect(isoContent.equals(await readFile(path))).toBe(true);
  });

  it('names the URL, the archive, the digest and --media where neither has it', async () => {
    const [release, archive] = [await fixture.startMirror(), await fixture.startMirror()];
    const error = await failureOf(fetchOnce(fixture, makeIso({ urls: urlsOf(release, archive), sha256 })));
    expect(error.code).toBe('media-missing');
    expect(error.message).toBe(
      `No server has server.iso: ${release.url}/server.iso: answers 404; ${archive.url}/server.iso: answers 404.`,
    );
    expect(error.hint).toBe(
      `Put server.iso (SHA-256 ${sha256}) into a folder and name it with --media, or name the ISO with --iso.`,
    );
  });

  it.each([
    ['SHA-256', { sha256 }, sha256, sha256Of(other)],
    ['SHA-512', { sha512 }, sha512, createHash('sha512').update(other).digest('hex')],
  ])('refuses another %s, names both and the URL, and keeps nothing', async (_, facts, wanted, actual) => {
    const mirror = await fixture.startMirror({ 'server.iso': other });
    const error = await failureOf(fetchOnce(fixture, makeIso({ urls: urlsOf(mirror), ...facts })));
    expect(error.code).toBe('wrong-digest');
    for (const part of [wanted, actual, `${mirror.url}/server.iso`]) expect(error.message).toContain(part);
    expect(await listCache(fixture.cacheDir)).toEqual([]);
  });

  it('refuses another length as soon as it is known', async () => {
    const mirror = await fixture.startMirror({ 'server.iso': isoContent });
    const error = await failureOf(fetchOnce(fixture, makeIso({ urls: urlsOf(mirror), sha256, sizeBytes: 1000 })));
    expect(error.code).toBe('wrong-length');
  });

  it('says that the server cannot be reached, and names --media', async () => {
    const urls = [`${await makeDeadUrl()}/server.iso`];
    const error = await failureOf(fetchOnce(fixture, makeIso({ urls, sha256 })));
    expect(error.code).toBe('mirror-unreachable');
    expect(error.hint).toContain('--media');
  });

  it('fetches nothing when offline', async () => {
    const mirror = await isoMirror();
    const error = await failureOf(fetchOnce(fixture, makeIso({ urls: urlsOf(mirror), sha256 }), { offline: true }));
    expect(error).toMatchObject({ code: 'offline', hint: expect.stringContaining(sha256) });
    expect(mirror.requests).toEqual([]);
  });
});

describe('fetchIso of local media', () => {
  it('uses a file of a --media folder where it is, and reads it through once', async () => {
    const path = await putLocal(isoContent);
    const mirror = await isoMirror();
    const iso = makeIso({ urls: urlsOf(mirror), sha256 });
    const mediaDirs = [join(fixture.dir, 'empty'), mediaDir];
    const seen: unknown[] = [];
    const onProgress = (...progress: unknown[]) => seen.push(progress);
    expect(await fetchOnce(fixture, iso, { mediaDirs, onProgress })).toMatchObject({ path });
    expect(seen).toEqual([[isoContent.length, isoContent.length]]);
    expect(await fetchOnce(fixture, iso, { mediaDirs, onProgress })).toMatchObject({ path });
    expect(seen).toHaveLength(1);
    expect(mirror.requests).toEqual([]);
    expect(await listCache(fixture.cacheDir)).toEqual(['media-digests.json']);
  });

  it('uses the file of a file: URL where it is, before any server', async () => {
    const path = await putLocal(isoContent, 'a server.iso');
    const mirror = await isoMirror();
    const urls = [...urlsOf(mirror), pathToFileURL(path).href];
    expect((await fetchOnce(fixture, makeIso({ urls, sha256 }))).path).toBe(path);
    expect(mirror.requests).toEqual([]);
  });

  it('passes over a local file of other content where a server has the right one', async () => {
    await putLocal(other);
    const iso = makeIso({ urls: urlsOf(await isoMirror()), sha256 });
    const { path } = await fetchOnce(fixture, iso, { mediaDirs: [mediaDir] });
    expect(isoContent.equals(await readFile(path))).toBe(true);
  });

  it.each([
    ['offline', async () => ({ urls: ['http://127.0.0.1:9/server.iso'], offline: true })],
    ['no server has it', async () => ({ urls: urlsOf(await fixture.startMirror()), offline: false })],
    ['no server can be reached', async () => ({ urls: [`${await makeDeadUrl()}/server.iso`], offline: false })],
    ['only customers get it', async () => ({ urls: [], offline: false })],
  ])('names a local file of other content and both digests where %s', async (_, situation) => {
    const path = await putLocal(other);
    const { urls, offline } = await situation();
    const error = await failureOf(fetchOnce(fixture, makeIso({ urls, sha256 }), { mediaDirs: [mediaDir], offline }));
    expect(error.code).toBe('wrong-digest');
    for (const part of [path, sha256, sha256Of(other)]) expect(error.message).toContain(part);
  });

  it('refuses a file: URL of another host', async () => {
    const iso = makeIso({ urls: ['file://elsewhere/server.iso'], sha256 });
    expect((await failureOf(fetchOnce(fixture, iso))).code).toBe('bad-url');
  });
});

describe("fetchIso of the user's own file", () => {
  it('uses it where it is', async () => {
    const path = await putLocal(isoContent, 'my.iso');
    const before = await stat(path);
    const digest = { algorithm: 'sha256', hex: sha256 };
    expect(await fetchOnce(fixture, makeIso({ path, sha256 }))).toEqual({ path, digest });
    expect((await stat(path)).mtimeMs).toBe(before.mtimeMs);
    expect(await fetchOnce(fixture, makeIso({ path }))).toEqual({ path, digest });
  });

  it('checks it against a SHA-512', async () => {
    const path = await putLocal(isoContent, 'my.iso');
    expect((await fetchOnce(fixture, makeIso({ path, sha512 }))).digest.hex).toBe(sha512);
  });

  it('refuses another content, and names the file and both digests', async () => {
    const path = await putLocal(other, 'my.iso');
    const error = await failureOf(fetchOnce(fixture, makeIso({ path, sha256, urls: urlsOf(await isoMirror()) })));
    expect(error.code).toBe('wrong-digest');
    for (const part of [path, sha256, sha256Of(other)]) expect(error.message).toContain(part);
  });

  it('names a file that is not there', async () => {
    const path = join(mediaDir, 'my.iso');
    expect((await failureOf(fetchOnce(fixture, makeIso({ path })))).message).toContain(path);
  });
});

describe('fetchIso of an ISO about whose digest nobody says anything', () => {
  it('refuses to fetch it', async () => {
    const mirror = await isoMirror();
    const error = await failureOf(fetchOnce(fixture, makeIso({ urls: urlsOf(mirror) })));
    expect(error).toMatchObject({ code: 'unknown-digest', message: expect.stringContaining(mirror.url) });
    expect(error.hint).toContain('installer.sha256');
    expect(mirror.requests).toEqual([]);
  });

  it('asks for media that only customers get', async () => {
    const error = await failureOf(fetchOnce(fixture, makeIso()));
    expect(error.code).toBe('media-missing');
    expect(error.hint).toMatch(/server\.iso.*--media.*--iso/);
  });

  it('takes the one of a --media folder, and holds later builds to it', async () => {
    const path = await putLocal(isoContent);
    expect((await fetchOnce(fixture, makeIso(), { mediaDirs: [mediaDir] })).path).toBe(path);
    await putLocal(other);
    const error = await failureOf(fetchOnce(fixture, makeIso(), { mediaDirs: [mediaDir] }));
    expect(error).toMatchObject({ code: 'wrong-digest', hint: expect.stringContaining('--refresh') });
    for (const part of [path, sha256, sha256Of(other)]) expect(error.message).toContain(part);
    const accepted = await fetchOnce(fixture, makeIso(), { mediaDirs: [mediaDir], refresh: true });
    expect(accepted.digest.hex).toBe(sha256Of(other));
    expect(await fetchOnce(fixture, makeIso(), { mediaDirs: [mediaDir] })).toEqual(accepted);
  });
});
