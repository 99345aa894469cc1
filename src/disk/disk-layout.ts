import { rmSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { withScope } from '../lifecycle/scope.ts';
import { registerKill } from '../lifecycle/signals.ts';
import type { DiskImage, DiskRange } from './disk-image.ts';
import { type FileSystem, findFileSystem, superblockBytes } from './file-system.ts';
import type { Partition } from './partition.ts';
import { findBootMethods, type PartitionTable, parsePartitionTable, tableBytes } from './partition-table.ts';
import { convertRanges, type QemuImgOptions } from './qemu-img.ts';

export interface PartitionContent extends Partition {
  readonly fileSystem?: FileSystem;
}

/** What the virtual disk holds, read without root and without mounting anything. */
export interface DiskLayout {
  /** `none`: no partition table; a file system may fill the whole disk. */
  readonly table: 'gpt' | 'mbr' | 'none';
  readonly partitions: readonly PartitionContent[];
  /** The file system of a disk without partitions. */
  readonly fileSystem?: FileSystem;
  readonly boots: { readonly bios: boolean; readonly uefi: boolean };
  readonly problems: readonly string[];
}

const maxPartitionsRead = 64;

/** Reads the partition table and the superblocks behind it. */
export async function readDiskLayout(
  image: DiskImage,
  virtualSizeBytes: number,
  options: QemuImgOptions = {},
): Promise<DiskLayout> {
  const startRange = { offsetBytes: 0, sizeBytes: Math.min(tableBytes, virtualSizeBytes) };
  const [start = Buffer.alloc(0)] = await readRanges(image, [startRange], options);
  const table = parsePartitionTable(start, virtualSizeBytes);
  if (!table) return describeBareDisk(start);
  const partitions = await readContents(image, table, virtualSizeBytes, options);
  return { table: table.kind, partitions, boots: findBootMethods(table), problems: table.problems };
}

function describeBareDisk(start: Buffer): DiskLayout {
  const fileSystem = findFileSystem(start);
  const boots = { bios: false, uefi: false };
  return { table: 'none', partitions: [], boots, problems: [], ...(fileSystem ? { fileSystem } : {}) };
}

async function readContents(
  image: DiskImage,
  table: PartitionTable,
  virtualSizeBytes: number,
  options: QemuImgOptions,
): Promise<PartitionContent[]> {
  const readable = table.partitions
    .filter(({ offsetBytes, sizeBytes }) => sizeBytes > 0 && offsetBytes + sizeBytes <= virtualSizeBytes)
    .slice(0, maxPartitionsRead);
  const ranges = readable.map(({ offsetBytes, sizeBytes }) => ({
    offsetBytes,
    sizeBytes: Math.min(sizeBytes, superblockBytes),
  }));
  const starts = await readRanges(image, ranges, options);
  return table.partitions.map((partition) => {
    const start = starts[readable.indexOf(partition)];
    const fileSystem = start && findFileSystem(start);
    return fileSystem ? { ...partition, fileSystem } : partition;
  });
}

/** Reads pieces of the virtual disk, whatever the format of the image, with one call of qemu-img. */
export async function readRanges(
  image: DiskImage,
  ranges: readonly DiskRange[],
  options: QemuImgOptions = {},
): Promise<Buffer[]> {
  if (ranges.length === 0) return [];
  return withScope(async (scope) => {
    const folder = await mkdtemp(join(tmpdir(), 'kvmimg-ranges-'));
    const forget = registerKill(() => rmSync(folder, { recursive: true, force: true }));
    scope.defer('remove the sectors read', async () => {
      await rm(folder, { recursive: true, force: true });
      forget();
    });
    const path = join(folder, 'ranges.raw');
    await convertRanges(image, ranges, path, options);
    const all = await readFile(path);
    let at = 0;
    return ranges.map(({ sizeBytes }) => {
      at += sizeBytes;
      return all.subarray(at - sizeBytes, at);
    });
  });
}
