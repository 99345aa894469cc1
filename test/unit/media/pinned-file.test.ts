import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openContentStore } from '../../../src/media/content-store.ts';
import { sha256Of } from '../../../src/media/digest.ts';
import { fetchPinned } from '../../../src/media/pinned-file.ts';
import { fetchAllPinned } from '../../../src/media/pinned-udebs.ts';
import { type FakeFile, startFakeMirror } from './fake-mirror.ts';
import {
  failureOf,
  listCache,
  type MediaFixture,
  makeDeadUrl,
  makeMediaFixture,
  makePinnedFile,
} from './media-fixture.ts';

const content = Buffer.alloc(300_000, 'kvmimg ');
const file = makePinnedFile('pool/main/p/pkg/pkg_1.0+deb13_all.deb', content);

let fixture: MediaFixture;
beforeEach(async () => {
  fixture = await makeMediaFixture();
});
afterEach(() => fixture.scope.close());

async function mirrorWith(fake: Omit<FakeFile, 'body'> & { body?: Uint8Array }) {
  return fixture.startMirror({ [file.path]: { body: content, ...fake } });
}

describe('fetchPinned', () => {
  it('fetches once, tells the progress, and then finds the file in the cache', async () => {
    const mirror = await mirrorWith({});
    const from = fixture.sources({ urls: [mirror.url] });
    const seen: [number, number | undefined][] = [];
    const onProgress = (bytes: number, total: number | undefined) => seen.push([bytes, total]);
    const path = await fetchPinned(file, from, { signal: fixture.signal, onProgress });
    expect(path).toBe(join(fixture.cacheDir, 'media', file.sha256));
    expect(content.equals(await readFile(path))).toBe(true);
    expect(seen.at(-1)).toEqual([content.length, content.length]);
    await fetchPinned(file, from, { signal: fixture.signal });
    expect(mirror.requests).toHaveLength(1);
    expect(from.http.receivedBytes()).toBe(content.length);
  });

  it('goes on where a cut connection ended', async () => {
    const mirror = await mirrorWith({ cuts: [100_000, 50_000] });
    await fetchPinned(file, fixture.sources({ urls: [mirror.url] }), { signal: fixture.signal });
    const ranges = mirror.requests.map(({ headers }) => headers.range);
    expect(ranges).toEqual([undefined, 'bytes=100000-', 'bytes=150000-']);
  });

  it('starts over where the mirror ignores ranges', async () => {
    const mirror = await mirrorWith({ cuts: [100_000], ignoresRange: true });
    const path = await fetchPinned(file, fixture.sources({ urls: [mirror.url] }), { signal: fixture.signal });
    expect(content.equals(await readFile(path))).toBe(true);
  });

  it('gives up after two tries without a new byte, and keeps the beginning for later', async () => {
    const mirror = await mirrorWith({ cuts: [1000, 0, 0, 0, 0] });
    const error = await failureOf(
      fetchPinned(file, fixture.sources({ urls: [mirror.url] }), { signal: fixture.signal }),
    );
    expect(error.code).toBe('mirror-broken');
    expect(error.message).toContain(`did not deliver ${mirror.url}`);
    expect(mirror.requests).toHaveLength(3);
    expect(await listCache(fixture.cacheDir)).toEqual([expect.stringContaining(`${file.sha256}.`)]);
  });

  it('takes over what an ended process has left', async () => {
    const store = openContentStore(fixture.cacheDir);
    const own = await store.claimPartial(file.sha256);
    // The same name with a start time that no process has.
    const orphan = own.replace(/(-\d+-)[^.]*/, '$1nobody');
    await writeFile(orphan, content.subarray(0, 200_000));
    const mirror = await mirrorWith({});
    await fetchPinned(file, fixture.sources({ urls: [mirror.url] }), { signal: fixture.signal });
    expect(mirror.requests.map(({ headers }) => headers.range)).toEqual(['bytes=200000-']);
    expect(await listCache(fixture.cacheDir)).toEqual([file.sha256]);
  });

  it('starts over once when the taken-over beginning was damaged', async () => {
    const own = await openContentStore(fixture.cacheDir).claimPartial(file.sha256);
    await writeFile(own.replace(/(-\d+-)[^.]*/, '$1nobody'), Buffer.alloc(1000));
    const mirror = await mirrorWith({});
    const path = await fetchPinned(file, fixture.sources({ urls: [mirror.url] }), { signal: fixture.signal });
    expect(content.equals(await readFile(path))).toBe(true);
    expect(mirror.requests).toHaveLength(2);
  });

  it('leaves the partial file of a living process alone', async () => {
    const own = await openContentStore(fixture.cacheDir).claimPartial(file.sha256);
    await writeFile(own, content.subarray(0, 1000));
    const mirror = await mirrorWith({});
    await fetchPinned(file, fixture.sources({ urls: [mirror.url] }), { signal: fixture.signal });
    expect(mirror.requests.map(({ headers }) => headers.range)).toEqual([undefined]);
    expect(await readFile(own)).toHaveLength(1000);
  });

  it('refuses a wrong digest, names both and the URL, and keeps nothing', async () => {
    const other = Buffer.alloc(content.length, 'x');
    const mirror = await mirrorWith({ body: other });
    const error = await failureOf(
      fetchPinned(file, fixture.sources({ urls: [mirror.url] }), { signal: fixture.signal }),
    );
    expect(error.code).toBe('wrong-digest');
    for (const part of [file.sha256, sha256Of(other), mirror.url]) expect(error.message).toContain(part);
    expect(await listCache(fixture.cacheDir)).toEqual([]);
  });

  it.each([
    ['shorter', content.subarray(1)],
    ['longer', Buffer.concat([content, Buffer.from('!')])],
  ])('refuses a file that is %s, and keeps nothing', async (_, body) => {
    const mirror = await mirrorWith({ body });
    const error = await failureOf(
      fetchPinned(file, fixture.sources({ urls: [mirror.url] }), { signal: fixture.signal }),
    );
    expect(error.code).toBe('wrong-length');
    expect(error.message).toContain(`${content.length} were expected`);
    expect(await listCache(fixture.cacheDir)).toEqual([]);
  });

  it('asks the archive when the mirror has dropped the file', async () => {
    const mirror = await fixture.startMirror();
    const archive = await mirrorWith({});
    const path = await fetchPinned(file, fixture.sources({ urls: [mirror.url, archive.url] }), {
      signal: fixture.signal,
    });
    expect(content.equals(await readFile(path))).toBe(true);
  });

  it('names every URL and --media when no server has the file', async () => {
    const [one, two] = [await fixture.startMirror(), await fixture.startMirror()];
    const error = await failureOf(
      fetchPinned(file, fixture.sources({ urls: [one.url, two.url] }), { signal: fixture.signal }),
    );
    expect(error.code).toBe('media-missing');
    for (const { url } of [one, two]) expect(error.message).toContain(`${url}/pool/main/p/pkg/pkg_1.0%2Bdeb13_all.deb`);
    expect(error.hint).toContain('--media');
  });

  it('names both where the mirror has not the file and the archive cannot be reached', async () => {
    const mirror = await fixture.startMirror();
    const urls = [mirror.url, await makeDeadUrl()];
    const error = await failureOf(fetchPinned(file, fixture.sources({ urls }), { signal: fixture.signal }));
    expect(error.code).toBe('media-missing');
    expect(error.message).toMatch(/: answers 404; .*cannot be reached: connection refused\.$/);
  });

  it('says at once that a mirror cannot be reached', async () => {
    const url = await makeDeadUrl();
    const started = performance.now();
    const error = await failureOf(fetchPinned(file, fixture.sources({ urls: [url] }), { signal: fixture.signal }));
    expect(error.code).toBe('mirror-unreachable');
    expect(error.message).toBe(`The mirror ${url} cannot be reached: connection refused.`);
    expect(performance.now() - started).toBeLessThan(2_000);
  });

  it('says that a name is not known', async () => {
    const urls = ['http://no-such-host.invalid/debian'];
    const error = await failureOf(fetchPinned(file, fixture.sources({ urls }), { signal: fixture.signal }));
    expect(error.message).toMatch(/^The mirror http:\/\/no-such-host\.invalid cannot be reached: its name /);
  });

  it('ends a download that stalls', async () => {
    const mirror = await mirrorWith({ stallsAfter: 10 });
    const from = fixture.sources({ urls: [mirror.url], httpOptions: { stallLimitMs: 300 } });
    const error = await failureOf(fetchPinned(file, from, { signal: fixture.signal }));
    expect(error.message).toContain('it stopped sending');
  });

  it('tries again when the mirror is overloaded for a moment', async () => {
    const mirror = await mirrorWith({ statuses: [503] });
    await fetchPinned(file, fixture.sources({ urls: [mirror.url] }), { signal: fixture.signal });
    expect(mirror.requests).toHaveLength(2);
  });

  it.each([
    ['pool path', file.path],
    ['file name', 'pkg_1.0+deb13_all.deb'],
  ])('takes local media by %s before any server', async (_, name) => {
    const mediaDir = join(fixture.dir, 'media');
    await mkdir(dirname(join(mediaDir, name)), { recursive: true });
    await writeFile(join(mediaDir, name), content);
    const from = fixture.sources({ mediaDirs: [join(fixture.dir, 'empty'), mediaDir], offline: true });
    expect(content.equals(await readFile(await fetchPinned(file, from, { signal: fixture.signal })))).toBe(true);
  });

  it('passes over local media of other content', async () => {
    await writeFile(join(fixture.dir, 'pkg_1.0+deb13_all.deb'), Buffer.alloc(content.length));
    const mirror = await mirrorWith({});
    const from = fixture.sources({ mediaDirs: [fixture.dir], urls: [mirror.url] });
    expect(content.equals(await readFile(await fetchPinned(file, from, { signal: fixture.signal })))).toBe(true);
    expect(await listCache(fixture.cacheDir)).toEqual([file.sha256]);
  });

  it('replaces a damaged file of the cache', async () => {
    await mkdir(join(fixture.cacheDir, 'media'), { recursive: true });
    await writeFile(join(fixture.cacheDir, 'media', file.sha256), Buffer.alloc(content.length));
    const mirror = await mirrorWith({});
    const path = await fetchPinned(file, fixture.sources({ urls: [mirror.url] }), { signal: fixture.signal });
    expect(content.equals(await readFile(path))).toBe(true);
  });

  it('fetches nothing when offline', async () => {
    const mirror = await mirrorWith({});
    const from = fixture.sources({ urls: [mirror.url], offline: true });
    const error = await failureOf(fetchPinned(file, from, { signal: fixture.signal }));
    expect(error.code).toBe('offline');
    expect(mirror.requests).toEqual([]);
  });

  it('may be asked for one file many times at once', async () => {
    const mirror = await mirrorWith({});
    const from = fixture.sources({ urls: [mirror.url] });
    const fetches = Array.from({ length: 8 }, () => fetchPinned(file, from, { signal: fixture.signal }));
    expect(new Set(await Promise.all(fetches)).size).toBe(1);
    expect(await listCache(fixture.cacheDir)).toEqual([file.sha256]);
  });

  it('ends at once when aborted, with the reason', async () => {
    const mirror = await mirrorWith({ stallsAfter: 1000 });
    const fetching = fetchPinned(file, fixture.sources({ urls: [mirror.url] }), {
      signal: fixture.signal,
      onProgress: () => fixture.abort(new Error('enough')),
    });
    await expect(fetching).rejects.toThrow('enough');
  });

  it('goes through the proxy with a plain request', async () => {
    const proxy = await startFakeMirror({ 'ttp://mirror.invalid/debian/a': 'content' });
    fixture.scope.defer('stop the proxy', proxy.close);
    const from = fixture.sources({ urls: ['http://mirror.invalid/debian'], httpOptions: { proxy: proxy.url } });
    await fetchPinned(makePinnedFile('a', 'content'), from, { signal: fixture.signal });
    expect(proxy.requests.map(({ method }) => method)).toEqual(['GET']);
  });
});

describe('fetchAllPinned', () => {
  it('gives the path of each file and the progress of all', async () => {
    const contents = ['one', 'two', 'three', 'four', 'five', 'six'];
    const mirror = await fixture.startMirror(Object.fromEntries(contents.map((text) => [text, text])));
    const seen: (number | undefined)[][] = [];
    const paths = await fetchAllPinned(
      contents.map((text) => makePinnedFile(text, text)),
      fixture.sources({ urls: [mirror.url] }),
      { signal: fixture.signal, onProgress: (...progress) => seen.push(progress) },
    );
    expect([...paths.keys()].sort()).toEqual([...contents].sort());
    expect(await readFile(paths.get('five') ?? '', 'utf8')).toBe('five');
    expect(seen.at(-1)).toEqual([22, 22]);
  });

  it('stops at the first file that cannot be had', async () => {
    const mirror = await fixture.startMirror({ one: 'one' });
    const files = ['one', 'gone'].map((text) => makePinnedFile(text, text));
    const fetching = fetchAllPinned(files, fixture.sources({ urls: [mirror.url] }), { signal: fixture.signal });
    expect((await failureOf(fetching)).code).toBe('media-missing');
  });

  it('does with what there is where it may, and tells of the first file that there is not', async () => {
    const mirror = await fixture.startMirror({ one: 'one' });
    const files = ['one', 'gone', 'lost'].map((text) => makePinnedFile(text, text));
    const missing: string[] = [];
    const paths = await fetchAllPinned(files, fixture.sources({ urls: [mirror.url] }), {
      signal: fixture.signal,
      onMissing: (error) => missing.push(error.message),
    });
    expect([...paths.keys()]).toEqual(['one']);
    expect(missing).toEqual([expect.stringMatching(/No server has (gone|lost): .*: answers 404/)]);
  });

  it('fails at a wrong digest all the same', async () => {
    const mirror = await fixture.startMirror({ one: 'two' });
    const options = { signal: fixture.signal, onMissing: () => {} };
    const fetching = fetchAllPinned([makePinnedFile('one', 'one')], fixture.sources({ urls: [mirror.url] }), options);
    expect((await failureOf(fetching)).code).toBe('wrong-digest');
  });
});
