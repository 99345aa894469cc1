import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { KvmimgError } from '../../../../src/errors.ts';
import { openIso } from '../../../../src/media/iso/iso.ts';
import { listAll, withIso } from './iso-fixture.ts';
import { file, folder, type IsoFolder, type IsoImage, makeIsoImage } from './iso-writer.ts';

const longName = `${'n'.repeat(196)}.txt`;

const root: IsoFolder = { sub: folder({ f: file('f') }), g: file('one', 'two'), [longName]: file('long') };

/** Where the lie goes. */
type Place = (image: IsoImage) => number;
type Lie = readonly [title: string, at: Place, bytes: Buffer, message: RegExp];

const inVolume =
  (offset: number): Place =>
  () =>
    16 * 2048 + offset;
const inRecord =
  (path: string, offset: number): Place =>
  (image) =>
    image.recordOf(path) + offset;
const inFolder =
  (path: string, offset: number): Place =>
  (image) =>
    image.folderOf(path) + offset;
/** In the field that leads to the rest of the long name. */
const inContinuation =
  (offset: number): Place =>
  (image) =>
    image.bytes.indexOf(Buffer.from([0x43, 0x45, 28, 1]), image.recordOf(longName)) + offset;
/** At the begin of what that field leads to. */
const inContinued: Place = (image) => image.bytes.readUInt32LE(inContinuation(4)(image)) * 2048;

const byte = (value: number): Buffer => Buffer.from([value]);
const number = (value: number): Buffer => Buffer.from(new Uint32Array([value]).buffer);
const text = (value: string): Buffer => Buffer.from(value);

const lies: readonly Lie[] = [
  ['no descriptor', inVolume(0), text('<html>'), /is not an ISO 9660 image/],
  ['no second descriptor', inVolume(2048), number(0), /volume descriptors are damaged/],
  ['no primary volume', inVolume(0), byte(3), /no primary volume/],
  ['blocks of 512 bytes', inVolume(128), number(512), /not of 2048 bytes/],
  ['a volume larger than the file', inVolume(80), number(999), /cut off: \d+ bytes are there of 2045952/],
  ['a root that is no folder', inVolume(156 + 25), byte(0), /no root folder/],
  ['a root without content', inVolume(156 + 10), number(0), /folder \/ has no content/],
  ['a root outside', inVolume(156 + 2), number(0xfffffff0), /ends before byte/],
  ['a root folder that is damaged', inFolder('', 0), byte(1), /root folder is damaged/],
  ['a folder outside', inRecord('sub', 2), number(0xffffff), /\/SUB in it lies outside/],
  ['a folder of 4 GiB', inRecord('sub', 10), number(0xfffff800), /\/SUB in it lies outside/],
  ['a folder larger than it says itself', inRecord('sub', 10), number(4096), /\/SUB is damaged/],
  ['a folder smaller than it says itself', inRecord('sub', 10), number(68), /\/SUB says another place or size/],
  ['a folder that lies elsewhere', inFolder('sub', 2), number(16), /\/SUB says another place or size/],
  ['a record of no length', inRecord('g', 0), byte(0), /folder \/ is damaged/],
  ['a record of 33 bytes', inRecord('g', 0), byte(33), /folder \/ is damaged/],
  ['a record across the end of its block', inFolder('', 2040), byte(255), /folder \/ is damaged/],
  ['a name longer than its record', inRecord('sub', 32), byte(200), /folder \/ is damaged/],
  ['a folder without its own record', inFolder('sub', 33), byte(7), /folder \/SUB is damaged/],
  ['a file outside', inRecord('g', 2), number(0xffffff), /\/G in it lies outside/],
  ['a file that ends outside', inRecord('sub/f', 10), number(0xffffffff), /\/SUB\/F in it lies outside/],
  ['a file without its last part', inRecord('g', 33), text('H'), /has no last part/],
  ['a folder of several parts', inRecord('g', 25), byte(0x82), /has several parts/],
  ['a name that leads out', inRecord('sub', 33), text('/'), /holds "\/UB", which is no file name/],
];

const rockRidgeLies: readonly Lie[] = [
  ['a field longer than its area', inRecord('sub', 36 + 2), byte(255), /Rock Ridge fields are damaged/],
  ['a field without length', inRecord('sub', 36 + 2), byte(0), /Rock Ridge fields are damaged/],
  ['a mode without a value', inRecord('sub', 36 + 2), byte(4), /Rock Ridge fields are damaged/],
  ['a continuation outside', inContinuation(4), number(0xffffff), /ends before byte/],
  ['a continuation of 1 GiB', inContinuation(20), number(2 ** 30), /fields are too large/],
];

async function expectRefused(bytes: Buffer, message: RegExp): Promise<void> {
  const error = await withIso(bytes, (iso) => listAll(iso)).catch((failure: unknown) => failure);
  expect(error).toBeInstanceOf(KvmimgError);
  expect(error).toMatchObject({ code: 'bad-iso', message: expect.stringMatching(message) });
  expect(error).toMatchObject({ hint: expect.stringContaining('--media') });
}

async function expectFoundOut(image: IsoImage, [, at, lie, message]: Lie): Promise<void> {
  // As it is, it is good.
  await withIso(image.bytes, (iso) => listAll(iso));
  const bytes = Buffer.from(image.bytes);
  lie.copy(bytes, at(image));
  await expectRefused(bytes, message);
}

describe('an ISO that cannot be used', () => {
  it.each(lies)('has %s', (...lie) => expectFoundOut(makeIsoImage(root, 'plain'), lie));

  it.each(rockRidgeLies)('has %s', (...lie) => expectFoundOut(makeIsoImage(root, 'rock-ridge'), lie));

  it('has a slash in a Joliet name', () =>
    expectFoundOut(makeIsoImage({ g: file('') }, 'joliet'), [
      '',
      inRecord('g', 33),
      text('\0/'),
      /holds "\/".*no file name/,
    ]));

  it('has a continuation that leads to itself', () => {
    const image = makeIsoImage(root, 'rock-ridge');
    const start = inContinuation(0)(image);
    const field = Buffer.from(image.bytes.subarray(start, start + 28));
    return expectFoundOut(image, ['', inContinued, field, /fields have no end/]);
  });

  it('has a folder that is its parent', () => {
    const image = makeIsoImage(root, 'plain');
    const parent = number(image.folderOf('') / 2048);
    return expectFoundOut(image, ['', inRecord('sub', 2), parent, /folders \/ and \/SUB are one and the same/]);
  });

  it('has a relocated folder that is an ancestor', async () => {
    const image = makeIsoImage({ top: folder({ again: { relocatedTo: 'top' } }) }, 'rock-ridge');
    await expect(withIso(image.bytes, (iso) => listAll(iso))).rejects.toThrow(
      'its folders /top and /top/again are one and the same',
    );
  });

  it.each([0, 1000, 17 * 2048, 18 * 2048 + 5, 20 * 2048])('is cut off after %d bytes', (lengthBytes) =>
    expectRefused(makeIsoImage({ g: file('g') }, 'joliet').bytes.subarray(0, lengthBytes), /cut off|too short/),
  );

  it('is missing, or a folder', async () => {
    const missing = join(tmpdir(), 'kvmimg-missing.iso');
    await expect(openIso(missing)).rejects.toThrow(`${missing} cannot be used as an ISO: there is no such file.`);
    await expect(openIso(tmpdir())).rejects.toMatchObject({
      code: 'bad-iso',
      message: expect.stringMatching(/regular/),
    });
  });
});
