import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  fixturePartitions,
  gptStart,
  guidBytes,
  linuxRootType,
  mebibyte,
  writeMbrEntry,
} from '../../../fixtures/disks/gpt-disk.ts';
import { guidText } from '../../../src/disk/gpt.ts';
import { findBootMethods, parsePartitionTable } from '../../../src/disk/partition-table.ts';

const diskSizeBytes = 64 * mebibyte;

function parse(start: Buffer) {
  const table = parsePartitionTable(start, diskSizeBytes);
  if (!table) throw new Error('no table was found');
  return table;
}

describe('parsePartitionTable', () => {
  it('reads a GPT with names, types and ids', () => {
    const table = parse(gptStart(fixturePartitions, diskSizeBytes));
    expect(table).toMatchObject({ kind: 'gpt', hasBootCode: true, problems: [] });
    expect(table.partitions).toMatchObject([
      { number: 1, type: 'BIOS boot', name: 'bios', offsetBytes: mebibyte, sizeBytes: mebibyte },
      { number: 2, type: 'EFI system', name: 'esp', sizeBytes: 4 * mebibyte },
      { number: 3, type: 'Linux root (x86-64)', name: 'root', uuid: 'aaaaaaaa-0000-4000-8000-000000000003' },
    ]);
    expect(findBootMethods(table)).toEqual({ bios: true, uefi: true });
  });

  it('says no BIOS boot without boot code', () => {
    expect(findBootMethods(parse(gptStart(fixturePartitions, diskSizeBytes, false)))).toEqual({
      bios: false,
      uefi: true,
    });
  });

  it('tells wrong checksums', () => {
    const start = gptStart(fixturePartitions, diskSizeBytes);
    start.write('X', 2 * 512 + 60);
    expect(parse(start).problems).toEqual(['the checksum of the GPT entries is wrong']);
  });

  it('tells a partition behind the end of the disk', () => {
    const far = { type: linuxRootType, uuid: linuxRootType, name: 'far', firstSector: 2048, sectors: 2 ** 40 };
    expect(parse(gptStart([far], diskSizeBytes)).problems).toEqual(['partition 1 does not lie on the disk']);
  });

  const lies = [
    ['header is gone', (start: Buffer) => start.fill(0, 512, 520), 'header is missing'],
    ['entry count', (start: Buffer) => start.writeUInt32LE(2 ** 31, 512 + 80), 'claims 2147483648 entries'],
    ['entry size', (start: Buffer) => start.writeUInt32LE(1, 512 + 84), 'entries of 1 bytes'],
    ['entries elsewhere', (start: Buffer) => start.writeBigUInt64LE(2n ** 60n, 512 + 72), 'outside the first MiB'],
    ['header size', (start: Buffer) => start.writeUInt32LE(70_000, 512 + 12), 'claims to be 70000 bytes'],
  ] as const;

  it.each(lies)('survives a lie: %s', (_, lie, problem) => {
    const start = gptStart(fixturePartitions, diskSizeBytes);
    lie(start);
    expect(parse(start)).toMatchObject({ partitions: [], problems: [expect.stringContaining(problem)] });
  });

  it('reads an MBR', () => {
    const start = Buffer.alloc(mebibyte, 0);
    start.write('\xeb', 0, 'latin1');
    writeMbrEntry(start, 0, { status: 0x80, type: 0x83, firstSector: 2048, sectors: 2048 });
    writeMbrEntry(start, 1, { status: 0, type: 0x8e, firstSector: 4096, sectors: 2 ** 31 });
    const table = parse(start);
    expect(table).toMatchObject({
      kind: 'mbr',
      partitions: [
        { number: 1, type: 'Linux data', typeId: '0x83', active: true, sizeBytes: mebibyte },
        { number: 2, type: 'Linux LVM', active: false },
      ],
      problems: ['partition 2 ends behind the end of the disk'],
    });
    expect(findBootMethods(table)).toEqual({ bios: true, uefi: false });
  });

  it('does not take a boot sector of FAT for a table', () => {
    const start = Buffer.alloc(mebibyte, 'no table here ');
    start.writeUInt16LE(0xaa55, 510);
    expect(parsePartitionTable(start, diskSizeBytes)).toBeUndefined();
    expect(parsePartitionTable(Buffer.alloc(100), 100)).toBeUndefined();
  });

  it('never throws, whatever the bytes', () => {
    const sectors = fc.uint8Array({ minLength: 0, maxLength: 3 * 512 });
    fc.assert(
      fc.property(sectors, fc.boolean(), (bytes, hasGpt) => {
        const start = hasGpt ? gptStart(fixturePartitions, diskSizeBytes) : Buffer.alloc(mebibyte);
        start.set(bytes, hasGpt ? 520 : 0);
        start.writeUInt16LE(0xaa55, 510);
        parsePartitionTable(start, diskSizeBytes);
      }),
    );
  });
});

describe('guidText', () => {
  it('undoes the order in which a GPT stores a GUID', () => {
    expect(guidText(guidBytes(linuxRootType))).toBe(linuxRootType);
  });
});
