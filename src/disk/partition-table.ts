import { readGpt } from './gpt.ts';
import { mbrTypes, type Partition, sectorBytes } from './partition.ts';

/** As much of the start of a disk as is read to find its partitions. */
export const tableBytes = 1024 * 1024;

export interface PartitionTable {
  readonly kind: 'gpt' | 'mbr';
  readonly partitions: readonly Partition[];
  /** The first sector holds a boot loader's code. */
  readonly hasBootCode: boolean;
  /** What is wrong with the table, in words. */
  readonly problems: readonly string[];
}

/** Reads the partition table from the first MiB of a disk; undefined where there is none. Sectors are of 512 bytes. */
export function parsePartitionTable(start: Buffer, diskSizeBytes: number): PartitionTable | undefined {
  if (start.length < sectorBytes || start.readUInt16LE(510) !== 0xaa55) return undefined;
  const entries = mbrEntries(start, diskSizeBytes);
  const hasBootCode = start.subarray(0, 440).some((byte) => byte !== 0);
  if (entries.some((entry) => entry.typeId === '0xee')) {
    return { kind: 'gpt', hasBootCode, ...readGpt(start, diskSizeBytes) };
  }
  const valid = entries.every((entry) => entry.validStatus);
  if (entries.length === 0 || !valid) return undefined;
  const problems = entries.flatMap((entry) => entry.problems);
  return { kind: 'mbr', hasBootCode, partitions: entries.map((entry) => entry.partition), problems };
}

interface MbrEntry {
  readonly typeId: string;
  /** A FAT boot sector ends in 55 AA as well; its "entries" are text. */
  readonly validStatus: boolean;
  readonly partition: Partition;
  readonly problems: readonly string[];
}

function mbrEntries(start: Buffer, diskSizeBytes: number): MbrEntry[] {
  return [1, 2, 3, 4].flatMap((number) => {
    const entry = start.subarray(446 + 16 * (number - 1), 462 + 16 * (number - 1));
    const type = entry.readUInt8(4);
    if (type === 0) return [];
    const typeId = `0x${type.toString(16).padStart(2, '0')}`;
    const offsetBytes = entry.readUInt32LE(8) * sectorBytes;
    const sizeBytes = entry.readUInt32LE(12) * sectorBytes;
    const status = entry.readUInt8(0);
    const isOutside = type !== 0xee && offsetBytes + sizeBytes > diskSizeBytes;
    return [
      {
        typeId,
        validStatus: status === 0 || status === 0x80,
        partition: { number, offsetBytes, sizeBytes, type: mbrTypes[type] ?? typeId, typeId, active: status === 0x80 },
        problems: isOutside ? [`partition ${number} ends behind the end of the disk`] : [],
      },
    ];
  });
}

/** Which firmware finds something to boot on the disk, judged by its partitions. */
export function findBootMethods(table: PartitionTable): { readonly bios: boolean; readonly uefi: boolean } {
  const hasBiosPlace =
    table.kind === 'gpt'
      ? table.partitions.some((partition) => partition.type === 'BIOS boot')
      : table.partitions.some((partition) => partition.active);
  return {
    bios: table.hasBootCode && hasBiosPlace,
    uefi: table.partitions.some((partition) => partition.type === 'EFI system'),
  };
}
