import { crc32 } from 'node:zlib';
import { gptTypes, type Partition, sectorBytes as sector } from './partition.ts';

// UEFI Specification 2.10, section 5.3: header in sector 1, entries usually in sectors 2 to 33.
const maxEntries = 1024;

export interface GptResult {
  readonly partitions: readonly Partition[];
  readonly problems: readonly string[];
}

/** Reads the primary GPT from the start of a disk; what is wrong with it is told, not thrown. */
export function readGpt(start: Buffer, diskSizeBytes: number): GptResult {
  const header = start.subarray(sector, 2 * sector);
  const broken = (problem: string): GptResult => ({ partitions: [], problems: [problem] });
  if (header.length < sector || header.toString('latin1', 0, 8) !== 'EFI PART')
    return broken('the GPT header is missing');
  const headerBytes = header.readUInt32LE(12);
  if (headerBytes < 92 || headerBytes > sector) return broken(`the GPT header claims to be ${headerBytes} bytes long`);
  const entryCount = header.readUInt32LE(80);
  const entryBytes = header.readUInt32LE(84);
  if (entryCount > maxEntries || entryBytes < 128 || entryBytes > 4096) {
    return broken(`the GPT claims ${entryCount} entries of ${entryBytes} bytes`);
  }
  const entriesStart = Number(header.readBigUInt64LE(72)) * sector;
  const entries = start.subarray(entriesStart, entriesStart + entryCount * entryBytes);
  if (entriesStart < 2 * sector || entries.length < entryCount * entryBytes) {
    return broken('the GPT entries lie outside the first MiB of the disk');
  }
  const found = Array.from({ length: entryCount }, (_, index) =>
    gptEntry(entries.subarray(index * entryBytes, (index + 1) * entryBytes), index + 1),
  ).filter((partition) => partition !== undefined);
  return { partitions: found, problems: gptProblems(header.subarray(0, headerBytes), entries, found, diskSizeBytes) };
}

function gptEntry(entry: Buffer, number: number): Partition | undefined {
  const typeId = guidText(entry.subarray(0, 16));
  if (typeId === '00000000-0000-0000-0000-000000000000') return undefined;
  const firstSector = Number(entry.readBigUInt64LE(32));
  const lastSector = Number(entry.readBigUInt64LE(40));
  return {
    number,
    offsetBytes: firstSector * sector,
    sizeBytes: Math.max(lastSector - firstSector + 1, 0) * sector,
    type: gptTypes[typeId] ?? typeId,
    typeId,
    name: entry.toString('utf16le', 56, 128).replace(/\0.*$/s, ''),
    uuid: guidText(entry.subarray(16, 32)),
  };
}

function gptProblems(
  header: Buffer,
  entries: Buffer,
  partitions: readonly Partition[],
  diskSizeBytes: number,
): readonly string[] {
  const zeroed = Buffer.from(header);
  zeroed.writeUInt32LE(0, 16);
  return [
    ...(crc32(zeroed) === header.readUInt32LE(16) ? [] : ['the checksum of the GPT header is wrong']),
    ...(crc32(entries) === header.readUInt32LE(88) ? [] : ['the checksum of the GPT entries is wrong']),
    ...partitions
      .filter((partition) => partition.offsetBytes + partition.sizeBytes > diskSizeBytes || partition.sizeBytes === 0)
      .map((partition) => `partition ${partition.number} does not lie on the disk`),
  ];
}

/** The text of a GUID, whose first three fields are stored little-endian. */
export function guidText(bytes: Buffer): string {
  const field = (start: number, end: number): string => bytes.subarray(start, end).toString('hex');
  const reversed = (start: number, end: number): string =>
    Buffer.from(bytes.subarray(start, end)).reverse().toString('hex');
  return [reversed(0, 4), reversed(4, 6), reversed(6, 8), field(8, 10), field(10, 16)].join('-');
}
