import { mkdir, mkdtemp, readdir, readFile, rm, truncate, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type LayerStore, type NewLayer, openLayerStore } from '../../../src/layer/store.ts';

describe('the layer store', () => {
  let cacheDir = '';
  let store: LayerStore;
  let count = 0;
  beforeEach(async () => {
    cacheDir = await mkdtemp(join(tmpdir(), 'kvmimg-layers-'));
    store = openLayerStore(cacheDir, new AbortController().signal);
  });
  afterEach(() => rm(cacheDir, { recursive: true, force: true }));

  const holder = (): string => join(cacheDir, 'work', 'holder');
  const makeFolder = async (content: string): Promise<string> => {
    const folder = join(cacheDir, 'work', 'maker', `${content}-${++count}`);
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, 'disk.qcow2'), content);
    await writeFile(join(folder, 'user-key'), 'key');
    return folder;
  };
  const about = {
    phase: 'install',
    title: 'install',
    recipe: 'r',
    distro: 'd',
    seconds: 7,
    inputs: {},
    facts: {},
  } as const;
  const commit = async (key: string, changes: Partial<NewLayer> = {}) =>
    store.commit(await makeFolder(key), { ...about, key, id: `${key}-${++count}`, ...changes }, holder());
  const letGo = (): Promise<void> => rm(holder(), { recursive: true, force: true });
  const removeAll = () => store.remove(({ layers, damaged }) => [...layers, ...damaged].map((layer) => layer.folder));

  it('finds what was committed, with what it records', async () => {
    expect(await store.find({ key: 'abc' })).toBeUndefined();
    const committed = await commit('abc', { id: 'one' });
    expect(await store.find({ key: 'abc' })).toEqual(committed);
    expect(committed.record).toMatchObject({ ...about, key: 'abc', disk: { sizeBytes: 3 } });
    expect(committed.diskPath).toBe(join(cacheDir, 'layers/abc/one/disk.qcow2'));
  });

  it('names a backing file so that it is found from the store and from a work folder, wherever the cache lies', async () => {
    const { folder, record } = await commit('abc');
    const path = store.backingPath(record);
    expect(await readFile(join(folder, path), 'utf8')).toBe('abc');
    expect(await readFile(join(await makeFolder('child'), path), 'utf8')).toBe('abc');
  });

  it('keeps a layer without a disk', async () => {
    const folder = join(cacheDir, 'work', 'maker', 'bare');
    await mkdir(folder, { recursive: true });
    await store.commit(folder, { ...about, key: 'v', id: 'v1', phase: 'verify' }, holder());
    expect((await store.find({ key: 'v' }))?.record.disk).toBeNull();
  });

  it.each([
    ['a torn record', (folder: string) => writeFile(join(folder, 'layer.json'), '{"layerVersion":2,"key":"abc"')],
    ['an empty record', (folder: string) => writeFile(join(folder, 'layer.json'), '')],
    ['no record', (folder: string) => rm(join(folder, 'layer.json'))],
    ['a truncated disk', (folder: string) => truncate(join(folder, 'disk.qcow2'), 1)],
    ['a disk that was written to', (folder: string) => utimes(join(folder, 'disk.qcow2'), 1, 1)],
    ['no disk', (folder: string) => rm(join(folder, 'disk.qcow2'))],
    ['no key', (folder: string) => rm(join(folder, 'user-key'))],
    ['a truncated key', (folder: string) => truncate(join(folder, 'user-key'), 1)],
  ])('does not use a layer with %s, and clears it away with the next one', async (_, damage) => {
    const { folder } = await commit('abc');
    await letGo();
    await damage(folder);
    expect(await store.find({ key: 'abc' })).toBeUndefined();
    expect((await store.list()).damaged).toMatchObject([{ folder, damage: expect.any(String) }]);
    const again = await commit('abc');
    expect(await store.find({ key: 'abc' })).toEqual(again);
    expect(await readdir(dirname(folder))).toEqual([again.record.id]);
  });

  it('does not use a layer on a parent that has been made again, and clears it away', async () => {
    const parent = await commit('parent');
    const child = await commit('child', { parentId: parent.record.id });
    expect(await store.find({ key: 'child', parentId: parent.record.id })).toEqual(child);
    expect(await store.find({ key: 'child' })).toBeUndefined();
    await letGo();
    const again = await commit('parent');
    expect((await store.find({ key: 'parent' }))?.record.id).toBe(again.record.id);
    expect((await store.list()).layers.map((layer) => layer.record.id)).toEqual([again.record.id]);
  });

  it('leaves a layer that was made again to whoever still uses it', async () => {
    const first = await commit('abc');
    await commit('abc');
    expect(await store.find({ key: 'abc' })).toMatchObject({ record: { key: 'abc' } });
    expect(await readFile(first.diskPath, 'utf8')).toBe('abc');
  });

  it('gives the very layer that is asked for', async () => {
    const first = await commit('abc');
    await commit('abc');
    expect(await store.use({ key: 'abc', id: first.record.id }, holder())).toEqual(first);
    expect(await store.use({ key: 'abc', id: 'other' }, holder())).toBeUndefined();
  });

  it('gives no layer that is older than asked for', async () => {
    const { record } = await commit('abc');
    const madeAt = new Date(record.createdAt).getTime();
    expect(await store.find({ key: 'abc', since: new Date(madeAt) })).toBeDefined();
    expect(await store.find({ key: 'abc', since: new Date(madeAt + 1) })).toBeUndefined();
  });

  it('removes neither what is in use nor what that stands on', async () => {
    const parent = await commit('parent');
    const child = await commit('child', { parentId: parent.record.id });
    const other = await commit('other');
    await letGo();
    await store.use({ key: 'child', parentId: parent.record.id }, holder());
    expect(await removeAll()).toEqual([other.folder]);
    expect((await store.list()).layers.map((layer) => layer.inUse)).toEqual([true, true]);
    await letGo();
    expect(await store.remove(() => [parent.folder])).toEqual([]);
    expect([...(await removeAll())].sort()).toEqual([parent.folder, child.folder].sort());
    expect(await readdir(join(cacheDir, 'layers'))).toEqual([]);
    expect(await readdir(join(cacheDir, 'work'))).toEqual(['maker']);
  });

  it('takes a layer as used when one that stands on it is', async () => {
    const parent = await commit('parent');
    const child = await commit('child', { parentId: parent.record.id });
    for (const folder of [parent.folder, child.folder]) await utimes(folder, 1, 1);
    await store.use({ key: 'child', parentId: parent.record.id }, holder());
    const [first, second] = (await store.list()).layers;
    expect(first?.usedAt).toEqual(second?.usedAt);
    expect(first?.usedAt.getTime()).toBeGreaterThan(1_000);
  });

  it('tells children, sizes and use', async () => {
    const parent = await commit('parent');
    const child = await commit('child', { parentId: parent.record.id });
    const { layers } = await store.list();
    expect(layers.map(({ record, children }) => [record.id, children])).toEqual([
      [parent.record.id, [child.record.id]],
      [child.record.id, []],
    ]);
    for (const { sizeBytes, usedAt } of layers) {
      expect(sizeBytes).toBeGreaterThan(0);
      expect(Math.abs(usedAt.getTime() - Date.now())).toBeLessThan(60_000);
    }
  });
});
