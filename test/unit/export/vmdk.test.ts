import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { noise } from '../../../fixtures/disks/gpt-disk.ts';
import { makeTinyVmdk } from '../../../fixtures/disks/tiny-vmdk.ts';
import { KvmimgError } from '../../../src/errors.ts';
import type { ByteSource } from '../../../src/export/byte-source.ts';
import { finishVmdk } from '../../../src/export/vmdk.ts';
import { changeDescriptor, contentId, findDescriptorValue } from '../../../src/export/vmdk-descriptor.ts';
import { readVmdkExtent } from '../../../src/export/vmdk-extent.ts';

const mebibyte = 2 ** 20;
const grains = new Map([
  [0, Buffer.from('first')],
  [9, noise(65_536, 7)],
  [300, Buffer.alloc(65_536, 'last ')],
]);

function sourceOf(bytes: Buffer): ByteSource {
  return {
    sizeBytes: bytes.length,
    read: async (offset, length) =>
      offset >= 0 && offset + length <= bytes.length ? bytes.subarray(offset, offset + length) : undefined,
  };
}

describe('readVmdkExtent', () => {
  it('walks the tables to the end of the last grain', async () => {
    const { bytes, grainsEndBytes } = makeTinyVmdk(grains);
    expect(await readVmdkExtent(sourceOf(bytes))).toMatchObject({
      header: { version: 3, capacityBytes: 32 * mebibyte, grainBytes: 65_536, compressed: true },
      grainCount: 3,
      grainsEndBytes,
      endsWithMarker: true,
    });
    expect(grainsEndBytes).toBe(bytes.length - 32_256);
  });

  it('ends an empty disk behind its tables', async () => {
    const { bytes } = makeTinyVmdk(new Map(), 0);
    expect(await readVmdkExtent(sourceOf(bytes))).toMatchObject({ grainCount: 0, grainsEndBytes: 65_536 });
  });

  it('takes the directory from the footer when the header says so', async () => {
    const { bytes, grainsEndBytes } = makeTinyVmdk(grains, 0);
    const footer = Buffer.from(bytes.subarray(0, 512));
    bytes.writeBigUInt64LE(0xffff_ffff_ffff_ffffn, 56);
    const withFooter = Buffer.concat([bytes, footer, Buffer.alloc(512)]);
    expect(await readVmdkExtent(sourceOf(withFooter))).toMatchObject({ grainCount: 3, grainsEndBytes });
  });

  const lies = [
    ['magic', (bytes: Buffer) => bytes.writeUInt32LE(0, 0), 'magic'],
    ['version', (bytes: Buffer) => bytes.writeUInt32LE(4, 4), 'version is 4'],
    ['grain of 3 sectors', (bytes: Buffer) => bytes.writeBigUInt64LE(3n, 20), 'a grain cannot be'],
    ['grain of no sectors', (bytes: Buffer) => bytes.writeBigUInt64LE(0n, 20), 'a grain cannot be'],
    ['no table entries', (bytes: Buffer) => bytes.writeUInt32LE(0, 44), 'a table cannot have'],
    ['endless capacity', (bytes: Buffer) => bytes.writeBigUInt64LE(2n ** 63n, 12), 'capacity is out of all bounds'],
    ['large capacity', (bytes: Buffer) => bytes.writeBigUInt64LE(2n ** 43n, 12), 'grain directory would lie'],
    ['directory elsewhere', (bytes: Buffer) => bytes.writeBigUInt64LE(10_000n, 56), 'grain directory would lie'],
    ['no directory', (bytes: Buffer) => bytes.writeBigUInt64LE(2n ** 64n - 1n, 56), 'magic'],
    ['table elsewhere', (bytes: Buffer) => bytes.writeUInt32LE(0x7fff_ffff, 26 * 512), 'a grain table would lie'],
    ['grain elsewhere', (bytes: Buffer) => bytes.writeUInt32LE(0x7fff_ffff, 27 * 512), 'the last grain would lie'],
    ['huge descriptor', (bytes: Buffer) => bytes.writeBigUInt64LE(2n ** 30n, 36), 'longer than 1 MiB'],
  ] as const;

  it.each(lies)('finds a lie: %s', async (_, lie, why) => {
    const { bytes } = makeTinyVmdk(grains);
    lie(bytes);
    await expect(readVmdkExtent(sourceOf(bytes))).rejects.toThrow(why);
    await expect(readVmdkExtent(sourceOf(bytes))).rejects.toMatchObject({ code: 'vmdk-damaged' });
  });

  it('does no more work than the file is long, though a directory names one table again and again', async () => {
    const { bytes } = makeTinyVmdk(new Map(), 0);
    const directory = Buffer.alloc(4 * mebibyte);
    for (let offset = 0; offset < directory.length; offset += 4) directory.writeUInt32LE(27, offset);
    bytes.writeBigUInt64LE(BigInt(bytes.length / 512), 56);
    bytes.writeBigUInt64LE(BigInt(128 * 512 * mebibyte), 12);
    await expect(readVmdkExtent(sourceOf(Buffer.concat([bytes, directory])))).rejects.toThrow('overlap');
  });

  it('finds every cut before the end of the last grain', async () => {
    const { bytes, grainsEndBytes } = makeTinyVmdk(grains, 0);
    await fc.assert(
      fc.asyncProperty(fc.nat(grainsEndBytes - 512), async (length) => {
        await expect(readVmdkExtent(sourceOf(bytes.subarray(0, length)))).rejects.toBeInstanceOf(KvmimgError);
      }),
    );
  });

  it('gives a result or a sentence, whatever the header and tables say', async () => {
    const change = fc.tuple(fc.oneof(fc.nat(128), fc.integer({ min: 26 * 512, max: 29 * 512 })), fc.nat(255));
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 8 }), async (changes) => {
        const { bytes } = makeTinyVmdk(grains);
        for (const [offset, value] of changes) bytes.writeUInt8(value, offset);
        await readVmdkExtent(sourceOf(bytes)).catch((error: unknown) => {
          expect(error).toBeInstanceOf(KvmimgError);
        });
      }),
    );
  });
});

describe('finishVmdk', () => {
  let folder = '';
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kvmimg-test-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  it('leaves one end-of-stream sector after the last grain and nothing behind it', async () => {
    const path = join(folder, 'padded.vmdk');
    const { bytes, grainsEndBytes } = makeTinyVmdk(grains);
    await writeFile(path, bytes);
    await finishVmdk(path, 'disk.vmdk');
    const finished = await readFile(path);
    expect(finished.length).toBe(grainsEndBytes + 512);
    const grainsKept = finished.subarray(65_536, grainsEndBytes).equals(bytes.subarray(65_536, grainsEndBytes));
    expect(grainsKept).toBe(true);
    expect(finished.subarray(grainsEndBytes).every((byte) => byte === 0)).toBe(true);
  });

  it('adds the sector where the last grain ends the file', async () => {
    const path = join(folder, 'bare.vmdk');
    const { bytes, grainsEndBytes } = makeTinyVmdk(grains, 0);
    await writeFile(path, bytes);
    await finishVmdk(path, 'disk.vmdk');
    expect((await readFile(path)).length).toBe(grainsEndBytes + 512);
  });

  it('gives equal disks equal files, and different disks different content ids', async () => {
    const write = async (name: string, content: ReadonlyMap<number, Buffer>, cid: string) => {
      const { bytes } = makeTinyVmdk(content);
      bytes.write(cid, bytes.indexOf('CID=') + 4);
      await writeFile(join(folder, name), bytes);
      await finishVmdk(join(folder, name), 'disk.vmdk');
      return readFile(join(folder, name));
    };
    const first = await write('one.vmdk', grains, '11111111');
    expect(first.equals(await write('two.vmdk', grains, '22222222'))).toBe(true);
    const other = await write('three.vmdk', new Map([[1, Buffer.from('x')]]), '11111111');
    const cidOf = (bytes: Buffer) => findDescriptorValue(bytes.toString('latin1', 512, 4096), 'CID');
    expect(cidOf(other)).not.toBe(cidOf(first));
  });
});

describe('the descriptor', () => {
  const descriptor = [
    'CID=1a6120f9',
    'parentCID=ffffffff',
    'RW 131072 SPARSE "x.vmdk.partial"',
    'ddb.adapterType = "lsilogic"',
  ].join('\n');

  it('is read by key', () => {
    expect(findDescriptorValue(descriptor, 'ddb.adapterType')).toBe('lsilogic');
    expect(findDescriptorValue(descriptor, 'CID')).toBe('1a6120f9');
    expect(findDescriptorValue(descriptor, 'nothing')).toBeUndefined();
  });

  it.each(['plain.vmdk', "a'b $& $1.vmdk"])('takes the name %s', (fileName) => {
    const changed = changeDescriptor(descriptor, { cid: '00c0ffee', fileName });
    expect(changed.split('\n').slice(0, 3)).toEqual([
      'CID=00c0ffee',
      'parentCID=ffffffff',
      `RW 131072 SPARSE "${fileName}"`,
    ]);
  });

  it('lets no quote or newline of a name out of its quotes', () => {
    const changed = changeDescriptor(descriptor, { cid: '00c0ffee', fileName: 'a"\nCID=1.vmdk' });
    expect(changed).toContain('"a__CID=1.vmdk"');
  });

  it('never makes a reserved content id', () => {
    expect(contentId('ffffffff00')).toBe('00000001');
    expect(contentId('fffffffe00')).toBe('00000001');
    expect(contentId('fffffffd00')).toBe('fffffffd');
  });
});
