import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openLayerStore } from '../../../src/layer/store.ts';

describe('the layer store', () => {
  let cacheDir = '';
  beforeEach(async () => {
    cacheDir = await mkdtemp(join(tmpdir(), 'kvmimg-layers-'));
  });
  afterEach(() => rm(cacheDir, { recursive: true, force: true }));

  const makeFolder = async (content: string): Promise<string> => {
    const folder = join(cacheDir, 'work', content);
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, 'disk.qcow2'), content);
    return folder;
  };
  const record = { key: 'abc', phase: 'install' as const, seconds: { install: 7 }, facts: {} };

  it('finds what was committed, with what it records', async () => {
    const store = openLayerStore(cacheDir);
    expect(await store.find('abc')).toBeUndefined();
    const committed = await store.commit(await makeFolder('one'), record);
    expect(await store.find('abc')).toEqual(committed);
    expect(committed.record).toMatchObject({ ...record, layerVersion: 1 });
    expect(committed.diskPath).toBe(join(cacheDir, 'layers/abc/disk.qcow2'));
  });

  it('does not use a layer whose record is torn, missing or of another key', async () => {
    const store = openLayerStore(cacheDir);
    const { folder } = await store.commit(await makeFolder('one'), record);
    for (const torn of ['{"layerVersion":1,"key":"abc"', '{}', '']) {
      await writeFile(join(folder, 'layer.json'), torn);
      expect(await store.find('abc')).toBeUndefined();
    }
    await rm(join(folder, 'layer.json'));
    expect(await store.find('abc')).toBeUndefined();
  });

  it('does not use a layer on a parent that has been made again', async () => {
    const store = openLayerStore(cacheDir);
    const parent = await store.commit(await makeFolder('parent'), record);
    await store.commit(await makeFolder('child'), {
      ...record,
      key: 'child',
      phase: 'seal',
      parentId: parent.record.id,
    });
    expect(await store.find('child', parent.record.id)).toBeDefined();
    const again = await store.commit(await makeFolder('again'), record);
    expect(await store.find('child', again.record.id)).toBeUndefined();
    expect(await store.find('child')).toBeUndefined();
  });

  it('replaces a layer that is not whole', async () => {
    const store = openLayerStore(cacheDir);
    await mkdir(join(cacheDir, 'layers/abc'), { recursive: true });
    await store.commit(await makeFolder('two'), record);
    expect((await store.find('abc'))?.record.key).toBe('abc');
  });
});
