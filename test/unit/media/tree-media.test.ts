import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { sha256Of } from '../../../src/media/digest.ts';
import type { MediaSources } from '../../../src/media/pinned-file.ts';
import { type FetchedTree, fetchTree } from '../../../src/media/tree-media.ts';
import { failureOf, type MediaFixture, makeDeadUrl, makeMediaFixture } from './media-fixture.ts';
import { makeTreeFiles, treeContents } from './tree-fixture.ts';

const tree = { path: '9/BaseOS/x86_64/os', arch: 'x86_64' };
const files = makeTreeFiles(tree.path);

let fixture: MediaFixture;
beforeEach(async () => {
  fixture = await makeMediaFixture();
});
afterEach(() => fixture.scope.close());

function fetchFrom(overrides: Partial<MediaSources>) {
  const sources = { ...fixture.sources(overrides), cacheDir: fixture.cacheDir, lockName: 'rocky-9-amd64' };
  return fetchTree(tree, sources, { signal: fixture.signal });
}

async function expectContents({ kernelPath, initrdPath, stage2Path = '' }: FetchedTree): Promise<void> {
  expect(await readFile(stage2Path, 'utf8')).toBe(treeContents.stage2);
  expect(await readFile(kernelPath, 'utf8')).toBe(treeContents.kernel);
  expect(await readFile(initrdPath, 'utf8')).toBe(treeContents.initrd);
}

async function writeFiles(folder: string, base: string): Promise<void> {
  for (const [path, content] of Object.entries(makeTreeFiles(base))) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), content);
  }
}

describe('fetchTree', () => {
  it('fetches kernel, initrd and second stage, says which server had the tree, and gives what .treeinfo says', async () => {
    const mirror = await fixture.startMirror(files);
    const fetched = await fetchFrom({ urls: [mirror.url] });
    await expectContents(fetched);
    expect(fetched.baseUrl).toBe(mirror.url);
    expect(fetched.treeInfo).toMatchObject({ title: 'Rocky Linux 9.6', stage2: { path: 'images/install.img' } });
    expect(fetched.kernelPath).toBe(join(fixture.cacheDir, 'media', sha256Of(treeContents.kernel)));
  });

  it('asks for .treeinfo only where kernel and initrd are in the store', async () => {
    const mirror = await fixture.startMirror(files);
    await fetchFrom({ urls: [mirror.url] });
    await fetchFrom({ urls: [mirror.url] });
    expect(mirror.requests.slice(4).map(({ path }) => path)).toEqual([`${tree.path}/.treeinfo`]);
  });

  it('asks the archive where the mirror has dropped the release', async () => {
    const [mirror, archive] = [await fixture.startMirror(), await fixture.startMirror(files)];
    const fetched = await fetchFrom({ urls: [mirror.url, archive.url] });
    await expectContents(fetched);
    expect(fetched.baseUrl).toBe(archive.url);
  });

  it('finds the name without a dot', async () => {
    const { [`${tree.path}/.treeinfo`]: info = '', ...others } = files;
    const mirror = await fixture.startMirror({ ...others, [`${tree.path}/treeinfo`]: info });
    await expectContents(await fetchFrom({ urls: [mirror.url] }));
  });

  it('names every URL and --media where nobody has the tree', async () => {
    const [one, two] = [await fixture.startMirror(), await fixture.startMirror()];
    const error = await failureOf(fetchFrom({ urls: [one.url, two.url] }));
    expect(error.code).toBe('media-missing');
    for (const { url } of [one, two]) expect(error.message).toContain(`${url}/${tree.path}/.treeinfo: answers 404`);
    expect(error.hint).toContain('--media');
  });

  it('names the kernel, its URL and --media where the tree lacks it', async () => {
    const { [`${tree.path}/images/pxeboot/vmlinuz`]: _, ...others } = files;
    const mirror = await fixture.startMirror(others);
    const error = await failureOf(fetchFrom({ urls: [mirror.url] }));
    expect(error.message).toContain(`${mirror.url}/${tree.path}/images/pxeboot/vmlinuz: answers 404`);
    expect(error.hint).toContain('--media');
    expect(error.hint).not.toContain('kvmimg lock');
  });

  it('refuses a kernel that .treeinfo does not describe, and names both digests', async () => {
    const mirror = await fixture.startMirror({ ...files, [`${tree.path}/images/pxeboot/vmlinuz`]: 'another kernel' });
    const error = await failureOf(fetchFrom({ urls: [mirror.url] }));
    expect(error.code).toBe('wrong-digest');
    for (const content of [treeContents.kernel, 'another kernel']) expect(error.message).toContain(sha256Of(content));
    expect(error.message).toContain(`${mirror.url}/${tree.path}/images/pxeboot/vmlinuz`);
  });

  it('says that the mirror cannot be reached', async () => {
    expect((await failureOf(fetchFrom({ urls: [await makeDeadUrl()] }))).code).toBe('mirror-unreachable');
  });

  it.each([
    ['the tree itself', ''],
    ['a mirror', `${tree.path}`],
  ])('takes a folder of local media that is %s before any server', async (_, base) => {
    const mirror = await fixture.startMirror(files);
    const folder = join(fixture.dir, 'media');
    await writeFiles(folder, base || '.');
    await expectContents(await fetchFrom({ urls: [mirror.url], mediaDirs: [folder] }));
    expect(mirror.requests).toEqual([]);
  });

  it('takes a mirror of a file: URL', async () => {
    const folder = join(fixture.dir, 'my mirror');
    await writeFiles(folder, tree.path);
    await expectContents(await fetchFrom({ urls: [pathToFileURL(folder).href], offline: true }));
  });

  it('is made again from the cache when offline', async () => {
    const mirror = await fixture.startMirror(files);
    await fetchFrom({ urls: [mirror.url] });
    const { length } = mirror.requests;
    await expectContents(await fetchFrom({ urls: [mirror.url], offline: true }));
    expect(mirror.requests).toHaveLength(length);
  });

  it('fetches nothing when offline', async () => {
    const mirror = await fixture.startMirror(files);
    const error = await failureOf(fetchFrom({ urls: [mirror.url], offline: true }));
    expect(error.code).toBe('offline');
    expect(mirror.requests).toEqual([]);
  });
});
