import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { sha256Of } from '../../../src/media/digest.ts';
import { type MirrorCache, type MirrorCacheOptions, openMirrorCache } from '../../../src/media/mirror-cache.ts';
import { openMirrorEntries } from '../../../src/media/mirror-entries.ts';
import { joinUrl } from '../../../src/media/url.ts';
import { dataTarXz, makeAr } from './deb-fixture.ts';
import type { FakeFile, FakeMirror } from './fake-mirror.ts';
import { listCache, type MediaFixture, makeDeadUrl, makeMediaFixture } from './media-fixture.ts';

const poolPath = 'pool/main/p/pkg/pkg_1.0+b1_amd64.deb';
const makePackage = (text: string) =>
  makeAr([
    ['debian-binary', Buffer.from('2.0\n')],
    ['data.tar', Buffer.alloc(49_868, text)],
  ]);
const body = makePackage('package ');

let fixture: MediaFixture;
let failures: string[];
let missing: string[];
beforeEach(async () => {
  fixture = await makeMediaFixture();
  failures = [];
  missing = [];
});
afterEach(() => fixture.scope.close());

/** What one build opens; each call is a build of its own on the same cache. */
function openCache(mirror: { url: string }, overrides: Partial<MirrorCacheOptions> = {}): MirrorCache {
  const { store, http } = fixture.sources({});
  return openMirrorCache({
    cacheDir: fixture.cacheDir,
    store,
    http,
    upstreams: { debian: mirror.url },
    offline: false,
    signal: fixture.signal,
    onUpstreamFailure: ({ error }) => failures.push(error.message),
    onMissing: ({ url, status }) => missing.push(`${url} ${status}`),
    ...overrides,
  });
}

/** Status and content of a response. */
async function get(cache: MirrorCache, path: string, method = 'GET'): Promise<[number, string]> {
  const response = await cache.handle({ method, path: `debian/${path}` });
  const content = response.file ? await readFile(response.file.path) : Buffer.from(response.body ?? '');
  return [response.status, content.toString('latin1')];
}

/** A mirror with one package, an index of it and a Release of that. */
async function startSuite(pool: Partial<FakeFile> = {}, compress = gzipSync): Promise<FakeMirror> {
  const index = compress(`Package: pkg\nFilename: ${poolPath}\nSize: ${body.length}\nSHA256: ${sha256Of(body)}\n`);
  const indexPath = 'main/binary-amd64/Packages.gz';
  const release = `Suite: stable\nSHA256:\n ${sha256Of(index)} ${index.length} ${indexPath}\n`;
  return fixture.startMirror({
    'dists/trixie/InRelease': release,
    [`dists/trixie/${indexPath}`]: index,
    [`dists/trixie/main/binary-amd64/by-hash/SHA256/${sha256Of(index)}`]: index,
    [poolPath]: { body, ...pool },
  });
}

const indexPath = 'dists/trixie/main/binary-amd64/Packages.gz';

/** A stanza of `poolPath` and some other body of 50,000 bytes, as xz wrote it; Node itself cannot. */
const packagesXz = Buffer.from(
  '/Td6WFoAAATm1rRGAgAhARwAAAAQz1jM4ACQAIZdACgYSGbb2jCF/hbsyofhFPrL1dWPWF8SbepSHul8XtdAtUqXgjAUa3iVB5EI' +
    'UugYSnxOXQrk3FuVgOV+bDpyF0vwztNLvYV1NZKh0SLmZ7soiH8vRmvmeY2w9Qx9tvceXpnErDblWgrtQIs2TMw/mmfdDQVgxlxP' +
    'hL4Mp1+j65JgZ4m1/E4AAAAAcKYagVcXqecAAaIBkQEAAH6h366xxGf7AgAAAAAEWVo=',
  'base64',
);

describe('package files', () => {
  it('that an index names are fetched once and never asked for again', async () => {
    const mirror = await startSuite();
    const first = openCache(mirror);
    await get(first, indexPath);
    mirror.requests.length = 0;
    expect(await get(first, poolPath)).toEqual([200, body.toString()]);
    expect(await get(first, poolPath)).toEqual([200, body.toString()]);
    const second = openCache(mirror);
    expect(await get(second, poolPath)).toEqual([200, body.toString()]);
    expect(mirror.requests).toHaveLength(1);
    const counts = { filesFromMirror: 1, bytesFromMirror: 50_000, filesFromCache: 1, bytesFromCache: 50_000 };
    expect(first.stats().packages).toEqual(counts);
    expect(second.stats().packages).toEqual({ ...counts, filesFromMirror: 0, bytesFromMirror: 0 });
  });

  it('are fetched once for requests at the same time', async () => {
    let open = (): void => {};
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    const mirror = await startSuite({ gate });
    const cache = openCache(mirror);
    const responses = Promise.all(Array.from({ length: 5 }, () => get(cache, poolPath)));
    setTimeout(open, 50);
    expect(new Set((await responses).map(([status]) => status))).toEqual(new Set([200]));
    expect(mirror.requests).toHaveLength(1);
    expect(cache.stats().packages).toMatchObject({ filesFromMirror: 1, filesFromCache: 4 });
  });

  it('go on where a cut connection ended, if the index gives their digest', async () => {
    const mirror = await startSuite({ cuts: [20_000] });
    const cache = openCache(mirror);
    await get(cache, 'dists/trixie/InRelease');
    await get(cache, indexPath);
    expect(await get(cache, poolPath)).toEqual([200, body.toString()]);
    expect(mirror.requests.map(({ headers }) => headers.range)).toContain('bytes=20000-');
  });

  it('are served whole or not at all when the mirror always cuts them', async () => {
    const mirror = await startSuite({ cuts: [20_000, 0, 0, 0, 0, 0], ignoresRange: true });
    const [status, text] = await get(openCache(mirror), poolPath);
    expect(status).toBe(502);
    expect(text).toContain('did not deliver');
    expect(failures).toHaveLength(1);
    expect(await listCache(fixture.cacheDir)).toEqual([]);
  });

  it.each<[string, () => Partial<FakeFile>]>([
    ['of another digest', () => ({ body: Buffer.alloc(body.length, 'x') })],
    ['that are too short', () => ({ body: body.subarray(1) })],
    ['that are too long', () => ({ body: Buffer.concat([body, body]) })],
  ])('%s than the index says are neither served nor kept', async (_, pool) => {
    const mirror = await startSuite(pool());
    const cache = openCache(mirror);
    await get(cache, 'dists/trixie/InRelease');
    await get(cache, indexPath);
    const before = await listCache(fixture.cacheDir);
    expect((await get(cache, poolPath))[0]).toBe(502);
    expect(await listCache(fixture.cacheDir)).toEqual(before);
    expect(failures).toHaveLength(1);
  });

  it('are fetched again once when the first try brought another digest', async () => {
    const mirror = await startSuite({ body: Buffer.alloc(body.length, 'x') });
    const cache = openCache(mirror);
    await get(cache, indexPath);
    const getting = get(cache, poolPath);
    const wasAsked = () => mirror.requests.some(({ path }) => path === poolPath);
    while (!wasAsked()) await new Promise((resolve) => setTimeout(resolve, 1));
    mirror.files.set(poolPath, { body });
    expect(await getting).toEqual([200, body.toString()]);
    expect(failures).toEqual([]);
  });

  it('come from what another mirror has brought', async () => {
    const one = await startSuite();
    await get(openCache(one), poolPath);
    const two = await startSuite();
    const cache = openCache(two);
    await get(cache, indexPath);
    expect(await get(cache, poolPath)).toEqual([200, body.toString()]);
    expect(two.requests.map(({ path }) => path)).toEqual([indexPath]);
  });

  it('of the cache that have lost their end are fetched again', async () => {
    const mirror = await startSuite();
    await get(openCache(mirror), poolPath);
    await writeFile(`${fixture.cacheDir}/media/${sha256Of(body)}`, body.subarray(0, 100));
    expect(await get(openCache(mirror), poolPath)).toEqual([200, body.toString()]);
    expect(mirror.requests).toHaveLength(2);
  });
});

describe('indices', () => {
  const path = 'dists/trixie/InRelease';

  it.each([
    ['ETag', { etag: '"v1"' }, 'if-none-match', '"v1"'],
    [
      'date',
      { 'last-modified': 'Sat, 12 Sep 2026 07:55:41 GMT' },
      'if-modified-since',
      'Sat, 12 Sep 2026 07:55:41 GMT',
    ],
  ])('are asked for again with their %s, once a build', async (_, headers, condition, value) => {
    const mirror = await fixture.startMirror({ [path]: { body: Buffer.from('Suite: one\n'), headers } });
    await get(openCache(mirror), path);
    const second = openCache(mirror);
    expect(await get(second, path)).toEqual([200, 'Suite: one\n']);
    expect(await get(second, path)).toEqual([200, 'Suite: one\n']);
    expect(mirror.requests.map((request) => request.headers[condition])).toEqual([undefined, value]);
  });

  it('are not fetched again when the mirror answers 304, and their headers are passed on', async () => {
    const headers = { etag: '"v1"', 'last-modified': 'Sat, 12 Sep 2026 07:55:41 GMT' };
    const mirror = await fixture.startMirror({ [path]: { body: Buffer.from('Suite: one\n'), headers } });
    await get(openCache(mirror), path);
    const second = openCache(mirror);
    const response = await second.handle({ method: 'GET', path: `debian/${path}` });
    expect(response.headers).toMatchObject(headers);
    expect(second.stats().indices).toMatchObject({ filesFromMirror: 0, filesFromCache: 1 });
  });

  it('are replaced when they have changed', async () => {
    const mirror = await fixture.startMirror({
      [path]: { body: Buffer.from('Suite: one\n'), headers: { etag: '"v1"' } },
    });
    await get(openCache(mirror), path);
    mirror.files.set(path, { body: Buffer.from('Suite: two\n'), headers: { etag: '"v2"' } });
    expect(await get(openCache(mirror), path)).toEqual([200, 'Suite: two\n']);
  });

  it('that the Release names by digest need no asking, by name or by hash', async () => {
    const mirror = await startSuite();
    await get(openCache(mirror), indexPath);
    const second = openCache(mirror);
    await get(second, path);
    mirror.requests.length = 0;
    expect((await get(second, indexPath))[0]).toBe(200);
    const byHash = [...mirror.files.keys()].find((name) => name.includes('by-hash')) ?? '';
    expect((await get(second, byHash))[0]).toBe(200);
    expect(mirror.requests).toEqual([]);
  });

  it('are refused when they are not what the Release says, even where the mirror answers 304', async () => {
    const mirror = await startSuite();
    const old = Buffer.from('old index');
    mirror.files.set(indexPath, { body: old, headers: { etag: '"old"' } });
    await get(openCache(mirror), indexPath);
    const cache = openCache(mirror);
    await get(cache, path);
    expect((await get(cache, indexPath))[0]).toBe(502);
    expect(failures[0]).toContain('wrong length');
  });

  it('by hash are refused when they do not have that digest', async () => {
    const byHash = `dists/trixie/main/binary-amd64/by-hash/SHA256/${'a'.repeat(64)}`;
    const mirror = await fixture.startMirror({ [byHash]: 'something else' });
    expect((await get(openCache(mirror), byHash))[0]).toBe(502);
    expect(failures[0]).toContain(`not ${'a'.repeat(64)}`);
  });

  it.each([
    ['plain', 'Packages', (text: string) => Buffer.from(text)],
    ['gz', 'Packages.gz', (text: string) => gzipSync(text)],
    ['xz', 'Packages.xz', () => packagesXz],
  ])('teach the digests of packages (%s)', async (_, name, compress) => {
    const mirror = await startSuite({ body: makePackage('other ') });
    const text = `Package: pkg\nFilename: ${poolPath}\nSize: ${body.length}\nSHA256: ${sha256Of(body)}\n`;
    const plainPath = `dists/trixie/main/binary-all/${name}`;
    mirror.files.set(plainPath, { body: compress(text) });
    const cache = openCache(mirror);
    await get(cache, plainPath);
    expect((await get(cache, poolPath))[1]).toContain("not what the mirror's index says");
  });

  it('that cannot be read teach nothing', async () => {
    const mirror = await startSuite();
    mirror.files.set('dists/trixie/main/binary-all/Packages.xz', { body: dataTarXz.subarray(0, 100) });
    const cache = openCache(mirror);
    await get(cache, 'dists/trixie/main/binary-all/Packages.xz');
    expect((await get(cache, poolPath))[0]).toBe(200);
  });
});

describe('a build that has its indices from an earlier one', () => {
  const release = 'dists/trixie/InRelease';
  const page = Buffer.from('<html>Please log in.</html>');

  /** What an install leaves in the cache: the indices alone, and the mirror's headers of them. */
  async function startKnownSuite(pool: Partial<FakeFile> = {}): Promise<FakeMirror> {
    const mirror = await startSuite(pool);
    for (const file of mirror.files.values()) file.headers = { etag: `"${sha256Of(file.body)}"` };
    const install = openCache(mirror);
    for (const path of [release, indexPath]) await get(install, path);
    mirror.requests.length = 0;
    return mirror;
  }

  it.each<[string, Uint8Array]>([
    ['a page of a proxy', page],
    ['a file without its end', body.subarray(0, 40_000)],
    ['another package of the same length', makePackage('other ')],
  ])('neither serves nor keeps %s', async (_, wrong) => {
    const mirror = await startKnownSuite({ body: wrong });
    const before = await listCache(fixture.cacheDir);
    const cache = openCache(mirror);
    expect((await get(cache, release))[0]).toBe(200);
    expect((await get(cache, poolPath))[0]).toBe(502);
    expect(failures).toHaveLength(1);
    expect(await listCache(fixture.cacheDir)).toEqual(before);
    expect(mirror.requests.filter(({ path }) => path === indexPath)).toEqual([]);
  });

  it('serves what the index wants, and asks for no index but the Release', async () => {
    const mirror = await startKnownSuite();
    const cache = openCache(mirror);
    await get(cache, release);
    expect(await get(cache, poolPath)).toEqual([200, body.toString()]);
    expect(mirror.requests.map(({ path }) => path)).toEqual([release, poolPath]);
  });

  it('never asks again for what an index has vouched for, even where it knows no index', async () => {
    const mirror = await startKnownSuite();
    const provision = openCache(mirror);
    await get(provision, release);
    await get(provision, poolPath);
    mirror.requests.length = 0;
    expect(await get(openCache(mirror), poolPath)).toEqual([200, body.toString()]);
    expect(mirror.requests).toEqual([]);
  });

  it('fetches anew what an index contradicts, and does not serve it again without one', async () => {
    const mirror = await startKnownSuite({ body: makePackage('other ') });
    expect((await get(openCache(mirror), poolPath))[0]).toBe(200);
    const cache = openCache(mirror);
    await get(cache, release);
    expect((await get(cache, poolPath))[0]).toBe(502);
    expect((await get(openCache(mirror, { offline: true }), poolPath))[0]).toBe(502);
    mirror.files.set(poolPath, { body });
    expect(await get(cache, poolPath)).toEqual([200, body.toString()]);
  });

  it('learns of two suites with one Release', async () => {
    const mirror = await startKnownSuite();
    const text = Buffer.from(mirror.files.get(release)?.body ?? '');
    mirror.files.set('dists/stable/InRelease', { body: text });
    const stableIndex = indexPath.replace('trixie', 'stable');
    mirror.files.set(stableIndex, { body: page });
    const cache = openCache(mirror);
    await get(cache, release);
    await get(cache, 'dists/stable/InRelease');
    mirror.requests.length = 0;
    expect((await get(cache, stableIndex))[0]).toBe(200);
    expect(mirror.requests).toEqual([]);
  });
});

describe('packages that no index has named', () => {
  it.each<[string, string, Uint8Array]>([
    ['a page in place of a .deb', poolPath, Buffer.from('<html>')],
    ['a .deb without its end', poolPath, body.subarray(0, 40_000)],
    ['a .deb without its data', poolPath, body.subarray(0, 72)],
    ['a page in place of a .udeb', 'pool/a.udeb', Buffer.from('<html>')],
    ['a page in place of an .rpm', 'Packages/a.rpm', Buffer.from('<html>')],
  ])('are refused: %s', async (_, path, wrong) => {
    const mirror = await fixture.startMirror({ [path]: wrong });
    const [status, text] = await get(openCache(mirror), path);
    expect([status, text]).toEqual([502, expect.stringContaining('what came is no package')]);
    expect(await listCache(fixture.cacheDir)).toEqual([]);
    expect(failures).toHaveLength(1);
  });

  it.each([
    [poolPath, body],
    ['Packages/a.rpm', Buffer.from('edabeedb0300', 'hex')],
    ['pool/main/p/pkg/pkg_1.0.tar.xz', Buffer.from('source')],
  ])('are asked for again once a build: %s', async (path, content) => {
    const mirror = await fixture.startMirror({ [path]: { body: content, headers: { etag: '"v1"' } } });
    for (const cache of [openCache(mirror), openCache(mirror)]) {
      for (const _ of [1, 2]) expect(await get(cache, path)).toEqual([200, content.toString('latin1')]);
    }
    expect(mirror.requests.map(({ headers }) => headers['if-none-match'])).toEqual([undefined, '"v1"']);
  });

  it('are not served where an older kvmimg has kept a page in their place', async () => {
    const page = Buffer.from('<html>');
    const mirror = await fixture.startMirror({ [poolPath]: body });
    await mkdir(`${fixture.cacheDir}/media`, { recursive: true });
    await writeFile(`${fixture.cacheDir}/media/${sha256Of(page)}`, page);
    const url = joinUrl(mirror.url, poolPath);
    const entry = { url, sha256: sha256Of(page), sizeBytes: page.length, verified: false };
    await openMirrorEntries(fixture.cacheDir).save(entry);
    expect((await get(openCache(mirror, { offline: true }), poolPath))[0]).toBe(502);
    expect(await get(openCache(mirror), poolPath)).toEqual([200, body.toString()]);
  });
});

describe('a repository without suites', () => {
  it('is asked without the dot, and its index teaches digests', async () => {
    const index = `Package: pkg\nFilename: ./pkg.deb\nSize: ${body.length}\nSHA256: ${sha256Of(body)}\n`;
    const release = `SHA256:\n ${sha256Of(index)} ${index.length} Packages\n`;
    const mirror = await fixture.startMirror({
      InRelease: release,
      Packages: index,
      'pkg.deb': makePackage('other '),
    });
    const cache = openCache(mirror);
    expect(await get(cache, './InRelease')).toEqual([200, release]);
    expect(await get(cache, './Packages')).toEqual([200, index]);
    expect((await get(cache, './pkg.deb'))[1]).toContain("not what the mirror's index says");
  });
});

describe('failures', () => {
  it('are told when the mirror cannot be reached', async () => {
    const url = await makeDeadUrl();
    const [status, text] = await get(openCache({ url }), poolPath);
    expect(status).toBe(502);
    expect(text).toBe(`The mirror ${url} cannot be reached: connection refused.\n`);
    expect(failures).toEqual([`The mirror ${url} cannot be reached: connection refused.`]);
  });

  it('pass 404 through, and tell it', async () => {
    const mirror = await fixture.startMirror();
    expect((await get(openCache(mirror), 'dists/forky/Release'))[0]).toBe(404);
    expect(missing).toEqual([`${mirror.url}/dists/forky/Release 404`]);
    expect(failures).toEqual([]);
  });

  it.each(['', 'dists/', '../secret', 'dists/../../x', 'pool//x', './'])('never ask for %j', async (path) => {
    const mirror = await fixture.startMirror();
    expect((await get(openCache(mirror), path))[0]).toBe(404);
    expect(mirror.requests).toEqual([]);
  });

  it('end with the reason when the build is aborted', async () => {
    const mirror = await startSuite({ stallsAfter: 10 });
    const getting = get(openCache(mirror), poolPath);
    setTimeout(() => fixture.abort(new Error('build stopped')), 50);
    await expect(getting).rejects.toThrow('build stopped');
    expect(failures).toEqual([]);
  });
});

describe('offline', () => {
  it('everything that was fetched before is served without asking', async () => {
    const mirror = await startSuite();
    const online = openCache(mirror);
    const paths = ['dists/trixie/InRelease', indexPath, poolPath];
    for (const path of paths) await get(online, path);
    mirror.requests.length = 0;
    const offline = openCache(mirror, { offline: true });
    for (const path of paths) expect((await get(offline, path))[0]).toBe(200);
    expect(mirror.requests).toEqual([]);
  });

  it('what is not in the cache is a failure that says so', async () => {
    const mirror = await startSuite();
    expect((await get(openCache(mirror, { offline: true }), poolPath))[0]).toBe(502);
    expect(failures[0]).toContain('--offline');
  });
});

describe('local content', () => {
  it('comes before the upstream', async () => {
    const mirror = await fixture.startMirror();
    const local = new Map([['debian/dists/kvmimg/Release', Buffer.from('Suite: kvmimg\n')]]);
    const cache = openCache(mirror, { local });
    expect(await get(cache, 'dists/kvmimg/Release')).toEqual([200, 'Suite: kvmimg\n']);
    expect(mirror.requests).toEqual([]);
  });
});

describe('HEAD', () => {
  it('fetches for later and counts nothing', async () => {
    const mirror = await startSuite();
    const cache = openCache(mirror);
    expect((await get(cache, poolPath, 'HEAD'))[0]).toBe(200);
    expect(cache.stats().packages.filesFromMirror).toBe(0);
    await get(cache, poolPath);
    expect(mirror.requests).toHaveLength(1);
  });
});
