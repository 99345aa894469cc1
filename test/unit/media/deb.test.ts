import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { extractDebMembers } from '../../../src/media/deb.ts';
import { dataTarXz, makeAr, makeDeb, makeDebAround } from './deb-fixture.ts';
import { type MediaFixture, makeMediaFixture } from './media-fixture.ts';

let fixture: MediaFixture;
beforeEach(async () => {
  fixture = await makeMediaFixture();
});
afterEach(() => fixture.scope.close());

async function extract(deb: Uint8Array, ...members: string[]): Promise<string[]> {
  const path = join(fixture.dir, 'test.deb');
  await writeFile(path, deb);
  const wanted = new Map(members.map((member, index) => [member, join(fixture.dir, `member-${index}`)]));
  await extractDebMembers(path, wanted, fixture.signal);
  return Promise.all([...wanted.values()].map((destination) => readFile(destination, 'utf8')));
}

describe('extractDebMembers', () => {
  it('reads data.tar.gz', async () => {
    const deb = await makeDeb({ 'usr/a': 'first', 'usr/b': 'second', 'usr/c': 'third' });
    expect(await extract(deb, 'usr/c', 'usr/a')).toEqual(['third', 'first']);
  });

  it('reads data.tar.xz', async () => {
    const deb = makeDebAround('data.tar.xz', dataTarXz);
    expect(await extract(deb, 'usr/lib/boot/linux', 'usr/lib/boot/initrd.gz')).toEqual([
      'kernel bytes',
      'initrd bytes',
    ]);
  });

  it('reads members larger than any buffer', async () => {
    const large = Buffer.alloc(3_000_000, 'large ');
    const [text] = await extract(await makeDeb({ 'usr/large': large, 'usr/z': 'z' }), 'usr/large');
    expect(text?.length).toBe(large.length);
  });

  it.each([
    ['is no archive', Buffer.from('<html>not found</html>'), 'it is no ar archive'],
    ['has no data', makeAr([['debian-binary', Buffer.from('2.0\n')]]), 'it has no data.tar member'],
    ['is cut off', makeDebAround('data.tar.xz', dataTarXz).subarray(0, 400), 'it is cut off'],
    ['is damaged', makeDebAround('data.tar.xz', Buffer.alloc(500, 'x')), 'its data.tar.xz is damaged'],
    ['is compressed by something else', makeDebAround('data.tar.lzma', Buffer.alloc(5)), 'cannot read the compression'],
    ['lacks the member', makeDebAround('data.tar.xz', dataTarXz), 'it does not hold usr/lib/none'],
  ])('refuses a .deb that %s', async (_, deb, reason) => {
    await expect(extract(deb, 'usr/lib/none')).rejects.toThrow(reason);
  });
});
