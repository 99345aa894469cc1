import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Iso, IsoEntry } from '../../../../src/media/iso/iso.ts';
import { listAll, withIso } from './iso-fixture.ts';
import { file, folder, type IsoFolder, type IsoNames, makeIsoImage } from './iso-writer.ts';

const longName = `${'n'.repeat(196)}.txt`;
const tree: IsoFolder = {
  casper: folder({ vmlinuz: file('the kernel'), initrd: file('the initrd'), empty: file('') }),
  'readme.txt': file('read me'),
};
const { signal } = new AbortController();

async function readText(iso: Iso, path: string): Promise<string | undefined> {
  const entry = await iso.find(path);
  return entry && (await iso.read(entry, 1000)).toString();
}

describe('openIso', () => {
  const cases: readonly (readonly [IsoNames, readonly string[]])[] = [
    ['rock-ridge', ['casper', 'casper/empty', 'casper/initrd', 'casper/vmlinuz', 'readme.txt']],
    ['joliet', ['casper', 'casper/empty', 'casper/initrd', 'casper/vmlinuz', 'readme.txt']],
    ['plain', ['CASPER', 'CASPER/EMPTY', 'CASPER/INITRD', 'CASPER/VMLINUZ', 'README.TXT']],
  ];
  it.each(cases)('reads an ISO with %s names', (names, paths) =>
    withIso(makeIsoImage(tree, names).bytes, async (iso) => {
      expect(iso.volumeId).toBe('TINY');
      expect(await listAll(iso)).toEqual(paths);
      expect(await readText(iso, '/casper/vmlinuz')).toBe('the kernel');
      expect(await readText(iso, 'casper/./empty')).toBe('');
      expect(await iso.find('casper')).toMatchObject({ path: paths[0], kind: 'folder' });
    }),
  );

  it.each(['rock-ridge', 'joliet'] as const)('tells upper from lower case in %s names', (names) =>
    withIso(makeIsoImage(tree, names).bytes, async (iso) => {
      expect(await iso.find('CASPER/vmlinuz')).toBeUndefined();
    }),
  );

  it.each(['nothing', 'casper/nothing', 'readme.txt/vmlinuz', '../casper', 'casper/..'])('does not find %s', (path) =>
    withIso(makeIsoImage(tree, 'plain').bytes, async (iso) => {
      expect(await iso.find(path)).toBeUndefined();
    }),
  );

  it('puts a long name together from its continuation areas', () =>
    withIso(makeIsoImage({ [longName]: file('long') }, 'rock-ridge').bytes, async (iso) => {
      expect(await readText(iso, longName)).toBe('long');
    }));

  it('reads a name that is cut within a character', () => {
    const name = `${'n'.repeat(39)}äöü`;
    return withIso(makeIsoImage({ [name]: file('cut') }, 'rock-ridge').bytes, async (iso) => {
      expect(await listAll(iso)).toEqual([name]);
    });
  });

  it('reads a file of several extents', () => {
    const parts = file('a'.repeat(3000), 'b'.repeat(2000), 'c');
    return withIso(makeIsoImage({ large: parts, next: file('next') }, 'rock-ridge').bytes, async (iso) => {
      const large = await iso.find('large');
      expect(large).toMatchObject({
        sizeBytes: 5001,
        extents: [{ sizeBytes: 3000 }, { sizeBytes: 2000 }, { sizeBytes: 1 }],
      });
      const content = large && (await iso.read(large, 6000)).toString();
      expect(content).toBe(`${'a'.repeat(3000)}${'b'.repeat(2000)}c`);
      expect(await readText(iso, 'next')).toBe('next');
    });
  });

  it('finds a relocated folder where it belongs, and only there', () => {
    const moved = { folder: { 'deep.txt': file('deep') }, isRelocated: true as const };
    const root = { top: folder({ deep: { relocatedTo: 'rr_moved/deep' } }), rr_moved: folder({ deep: moved }) };
    return withIso(makeIsoImage(root, 'rock-ridge').bytes, async (iso) => {
      expect(await listAll(iso)).toEqual(['rr_moved', 'top', 'top/deep', 'top/deep/deep.txt']);
      expect(await readText(iso, 'top/deep/deep.txt')).toBe('deep');
    });
  });
});

describe('extract', () => {
  it('writes the file, holes and all, and nothing else', () => {
    const parts = ['x'.repeat(5000), '\0'.repeat(3 * 2 ** 20), 'y'.repeat(3), '\0\0'];
    return withIso(makeIsoImage({ f: file(...parts) }, 'plain').bytes, async (iso, dir) => {
      await iso.extract(await mustFind(iso, 'f'), join(dir, 'f'), { signal });
      expect((await readFile(join(dir, 'f'), 'latin1')) === parts.join('')).toBe(true);
      expect(await readdir(dir)).toEqual(['f', 'test.iso']);
    });
  });

  it('leaves nothing when it is interrupted', () =>
    withIso(makeIsoImage(tree, 'plain').bytes, async (iso, dir) => {
      const entry = await mustFind(iso, 'readme.txt');
      const reason = new Error('enough');
      await expect(iso.extract(entry, join(dir, 'f'), { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
      expect(await readdir(dir)).toEqual(['test.iso']);
    }));

  it('refuses a folder, and reading more than the limit', () =>
    withIso(makeIsoImage(tree, 'plain').bytes, async (iso, dir) => {
      const extracting = iso.extract(await mustFind(iso, 'casper'), join(dir, 'no'), { signal });
      await expect(extracting).rejects.toThrow('/CASPER in it is no plain file');
      const reading = iso.read(await mustFind(iso, 'readme.txt'), 6);
      await expect(reading).rejects.toThrow('has 7 bytes, more than the 6');
      await expect(iso.list('readme.txt')).rejects.toThrow('it has no folder readme.txt');
    }));
});

async function mustFind(iso: Iso, path: string): Promise<IsoEntry> {
  const entry = await iso.find(path);
  if (!entry) throw new Error(`${path} was not found`);
  return entry;
}
