import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeCpio, readInitrdFile } from '../../../src/media/cpio.ts';
import { makeInitrdOverlay, writeInitrd } from '../../../src/media/initrd.ts';
import { listCache, type MediaFixture, makeMediaFixture } from './media-fixture.ts';

const files = [
  { path: 'usr/share/keyrings/archive.gpg', mode: 0o644, content: Buffer.from([1, 2, 3]) },
  { path: 'preseed.cfg', mode: 0o600, content: 'd-i ...\n' },
  { path: 'usr/bin/hook', mode: 0o755, content: '#!/bin/sh\n' },
];

let fixture: MediaFixture;
beforeEach(async () => {
  fixture = await makeMediaFixture();
});
afterEach(() => fixture.scope.close());

/** Name and mode of each entry, read by the format's rules and not by the code under test. */
function listEntries(archive: Buffer): string[] {
  const entries: string[] = [];
  for (let offset = 0; offset < archive.length; ) {
    const fields = archive.toString('latin1', offset + 6, offset + 110).match(/.{8}/g) ?? [];
    const [, mode = 0, , , , , fileBytes = 0, , , , , nameBytes = 0] = fields.map((field) =>
      Number.parseInt(field, 16),
    );
    entries.push(`${archive.toString('utf8', offset + 110, offset + 109 + nameBytes)} ${mode.toString(8)}`);
    offset += Math.ceil((110 + nameBytes) / 4) * 4 + Math.ceil(fileBytes / 4) * 4;
  }
  return entries;
}

describe('makeCpio', () => {
  it('has the folders above each file, once and before it, and ends with a trailer', () => {
    expect(listEntries(Buffer.from(makeCpio(files)))).toEqual([
      'usr 40755',
      'usr/bin 40755',
      'usr/share 40755',
      'usr/share/keyrings 40755',
      'preseed.cfg 100600',
      'usr/bin/hook 100755',
      'usr/share/keyrings/archive.gpg 100644',
      'TRAILER!!! 0',
    ]);
  });
});

describe('makeInitrdOverlay', () => {
  it('gives the same bytes for the same files in any order', () => {
    expect(makeInitrdOverlay(files)).toEqual(makeInitrdOverlay([...files].reverse()));
    expect(makeInitrdOverlay(files).subarray(4, 10)).toEqual(Buffer.from([0, 0, 0, 0, 2, 3]));
  });
});

describe('readInitrdFile', () => {
  it.each([
    ['preseed.cfg', 'd-i ...\n'],
    ['usr/bin/hook', '#!/bin/sh\n'],
  ])('reads %s', async (path, content) => {
    await writeFile(join(fixture.dir, 'initrd.gz'), gzipSync(makeCpio(files)));
    expect((await readInitrdFile(join(fixture.dir, 'initrd.gz'), path))?.toString()).toBe(content);
  });

  it('gives undefined for a file that is not there', async () => {
    await writeFile(join(fixture.dir, 'initrd.gz'), gzipSync(makeCpio(files)));
    expect(await readInitrdFile(join(fixture.dir, 'initrd.gz'), 'etc/none')).toBeUndefined();
  });

  it.each([
    ['is not compressed', Buffer.from('plain')],
    ['is no cpio archive', gzipSync(Buffer.alloc(500, 'x'))],
    ['is cut off', gzipSync(makeCpio(files).subarray(0, 300))],
  ])('refuses an initrd that %s', async (_, content) => {
    await writeFile(join(fixture.dir, 'initrd.gz'), content);
    await expect(readInitrdFile(join(fixture.dir, 'initrd.gz'), 'none')).rejects.toThrow('cannot be read as an initrd');
  });
});

describe('writeInitrd', () => {
  it.each([0, 1, 2, 3])('puts the overlay at a multiple of 4 behind an initrd of 100 + %i bytes', async (extra) => {
    const original = Buffer.alloc(100 + extra, 'i');
    await writeFile(join(fixture.dir, 'initrd.gz'), original);
    const destination = join(fixture.dir, 'combined');
    const overlay = makeInitrdOverlay(files);
    await writeInitrd(join(fixture.dir, 'initrd.gz'), overlay, destination);
    const combined = await readFile(destination);
    const start = combined.length - overlay.length;
    expect(combined.subarray(0, original.length).equals(original)).toBe(true);
    expect(start % 4).toBe(0);
    expect(gunzipSync(combined.subarray(start)).equals(Buffer.from(makeCpio(files)))).toBe(true);
  });

  it('leaves no half file when it fails', async () => {
    const writing = writeInitrd(join(fixture.dir, 'none'), makeInitrdOverlay(files), join(fixture.dir, 'combined'));
    await expect(writing).rejects.toThrow('ENOENT');
    expect(await listCache(fixture.dir)).toEqual([]);
  });
});
