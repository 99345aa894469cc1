import { createHash } from 'node:crypto';
import { KvmimgError } from '../errors.ts';
import type { ByteSource } from './byte-source.ts';

// VMware Virtual Disk Format 5.0: the hosted sparse extent and its stream-optimized variant. All numbers are
// little-endian; offsets and sizes of the header count sectors.
export const vmdkSectorBytes = 512;
const sector = vmdkSectorBytes;
const magic = 0x564d444b;
const directoryAtEnd = 0xffff_ffff_ffff_ffffn;
const flagCompressed = 0x1_0000;
const grainMarkerBytes = 12;

export interface VmdkHeader {
  readonly version: number;
  /** Size of the virtual disk. */
  readonly capacityBytes: number;
  readonly grainBytes: number;
  readonly entriesPerTable: number;
  readonly descriptorOffsetBytes: number;
  readonly descriptorSizeBytes: number;
  /** undefined: the directory lies at the end of the file, and a footer tells where. */
  readonly directoryOffsetBytes: number | undefined;
  /** Where the grains begin. */
  readonly overheadBytes: number;
  readonly compressed: boolean;
}

/** What walking the tables of a sparse extent shows. */
export interface VmdkExtent {
  readonly header: VmdkHeader;
  /** The embedded descriptor: `key=value` lines. */
  readonly descriptor: string;
  /** Grains that are stored; the others are zeros. */
  readonly grainCount: number;
  /** Behind the last grain, in whole sectors. */
  readonly grainsEndBytes: number;
  /** The last sector is all zeros, which is the end-of-stream marker. */
  readonly endsWithMarker: boolean;
  /** SHA-256 of the grain tables in order: tells where each grain lies, so by the way how well each compressed. */
  readonly tablesSha256: string;
}

/**
 * Reads a sparse VMDK's header and walks grain directory and tables to the end of the last grain. Nothing in the file
 * is believed: each offset must lie in the file, and the work is bounded by the file's size.
 *
 * @throws KvmimgError `vmdk-damaged`, saying what contradicts what.
 */
export async function readVmdkExtent(source: ByteSource): Promise<VmdkExtent> {
  const header = await readHeader(source);
  const tables = await walkTables(source, header);
  return {
    header,
    descriptor: await readDescriptor(source, header),
    grainCount: tables.grainCount,
    grainsEndBytes: await findGrainsEnd(source, header, tables.lastGrainSector),
    endsWithMarker: await endsWithZeroSector(source),
    tablesSha256: tables.sha256,
  };
}

async function readHeader(source: ByteSource): Promise<VmdkHeader> {
  const header = parseVmdkHeader(await readOrFail(source, 0, sector, 'the header'));
  if (header.directoryOffsetBytes !== undefined) return header;
  // Footer and end-of-stream marker are the last two sectors.
  const footer = await readOrFail(source, source.sizeBytes - 2 * sector, sector, 'the footer');
  const { directoryOffsetBytes } = parseVmdkHeader(footer);
  if (directoryOffsetBytes === undefined) throw damaged('neither header nor footer tell where the grain directory is');
  return { ...header, directoryOffsetBytes };
}

/** Parses the 512 bytes of a header or footer and checks that the numbers can be. */
export function parseVmdkHeader(bytes: Buffer): VmdkHeader {
  if (bytes.length < sector || bytes.readUInt32LE(0) !== magic) throw damaged('it does not begin with the magic KDMV');
  const directoryAt = bytes.readBigUInt64LE(56);
  const header = {
    version: bytes.readUInt32LE(4),
    capacityBytes: sectorsAt(bytes, 12, 'the capacity'),
    grainBytes: sectorsAt(bytes, 20, 'the grain size'),
    entriesPerTable: bytes.readUInt32LE(44),
    descriptorOffsetBytes: sectorsAt(bytes, 28, 'the offset of the descriptor'),
    descriptorSizeBytes: sectorsAt(bytes, 36, 'the size of the descriptor'),
    directoryOffsetBytes: directoryAt === directoryAtEnd ? undefined : sectorsAt(bytes, 56, 'the grain directory'),
    overheadBytes: sectorsAt(bytes, 64, 'the overhead'),
    compressed: (bytes.readUInt32LE(8) & flagCompressed) !== 0,
  };
  checkHeader(header);
  return header;
}

function checkHeader({ version, grainBytes, entriesPerTable, descriptorSizeBytes }: VmdkHeader): void {
  if (version < 1 || version > 3) throw damaged(`its version is ${version}; 1 to 3 are known`);
  const grainSectors = grainBytes / sector;
  const isPowerOfTwo = Number.isInteger(Math.log2(grainSectors));
  if (!isPowerOfTwo || grainSectors < 8 || grainSectors > 65_536)
    throw damaged(`a grain cannot be ${grainBytes} bytes`);
  if (entriesPerTable < 1 || entriesPerTable > 4096) throw damaged(`a table cannot have ${entriesPerTable} entries`);
  if (descriptorSizeBytes > 2 ** 20) throw damaged('the descriptor claims to be longer than 1 MiB');
}

function sectorsAt(bytes: Buffer, offset: number, what: string): number {
  const value = Number(bytes.readBigUInt64LE(offset)) * sector;
  if (!Number.isSafeInteger(value)) throw damaged(`${what} is out of all bounds`);
  return value;
}

interface Tables {
  readonly grainCount: number;
  readonly lastGrainSector: number;
  readonly sha256: string;
}

async function walkTables(source: ByteSource, header: VmdkHeader): Promise<Tables> {
  const { capacityBytes, grainBytes, entriesPerTable } = header;
  const tableCount = Math.ceil(capacityBytes / (grainBytes * entriesPerTable));
  const directory = await readOrFail(source, header.directoryOffsetBytes ?? 0, tableCount * 4, 'the grain directory');
  const tableSectors = [...sectorsOf(directory)].filter((tableSector) => tableSector !== 0);
  if (tableSectors.length * entriesPerTable * 4 > source.sizeBytes) throw damaged('its grain tables overlap');
  const hash = createHash('sha256');
  let grainCount = 0;
  let lastGrainSector = 0;
  for (const tableSector of tableSectors) {
    const table = await readOrFail(source, tableSector * sector, entriesPerTable * 4, 'a grain table');
    hash.update(table);
    for (const grainSector of sectorsOf(table)) {
      // 0: not stored; 1: a grain of zeros.
      if (grainSector <= 1) continue;
      grainCount++;
      lastGrainSector = Math.max(lastGrainSector, grainSector);
    }
  }
  return { grainCount, lastGrainSector, sha256: hash.digest('hex') };
}

function* sectorsOf(table: Buffer): Generator<number> {
  for (let offset = 0; offset + 4 <= table.length; offset += 4) yield table.readUInt32LE(offset);
}

async function findGrainsEnd(source: ByteSource, header: VmdkHeader, lastGrainSector: number): Promise<number> {
  if (lastGrainSector === 0) return header.overheadBytes;
  const start = lastGrainSector * sector;
  const storedBytes = await readStoredBytes(source, header, start);
  const end = Math.ceil((start + storedBytes) / sector) * sector;
  if (start + storedBytes > source.sizeBytes) {
    throw damaged(`its last grain ends at byte ${end}, the file at byte ${source.sizeBytes}: it was cut off`);
  }
  return Math.max(end, header.overheadBytes);
}

async function readStoredBytes(source: ByteSource, header: VmdkHeader, start: number): Promise<number> {
  if (!header.compressed) return header.grainBytes;
  const marker = await readOrFail(source, start, grainMarkerBytes, 'the last grain');
  const dataBytes = marker.readUInt32LE(8);
  // Deflate adds a few bytes to what does not compress.
  if (dataBytes === 0 || dataBytes > 2 * header.grainBytes) throw damaged('the size of its last grain cannot be');
  return grainMarkerBytes + dataBytes;
}

async function readDescriptor(source: ByteSource, header: VmdkHeader): Promise<string> {
  if (header.descriptorSizeBytes === 0) return '';
  const bytes = await readOrFail(source, header.descriptorOffsetBytes, header.descriptorSizeBytes, 'the descriptor');
  return bytes.toString('utf8').replace(/\0.*$/s, '');
}

async function endsWithZeroSector(source: ByteSource): Promise<boolean> {
  const last = await source.read(source.sizeBytes - sector, sector);
  return last?.every((byte) => byte === 0) ?? false;
}

async function readOrFail(source: ByteSource, offset: number, length: number, what: string): Promise<Buffer> {
  const bytes = await source.read(offset, length);
  if (!bytes)
    throw damaged(`${what} would lie at byte ${offset}; the file ends at ${source.sizeBytes}, or was cut off`);
  return bytes;
}

function damaged(why: string): KvmimgError {
  return new KvmimgError({
    code: 'vmdk-damaged',
    message: `The VMDK is damaged, or not a sparse VMDK: ${why}.`,
    hint: 'Fetch or make it again.',
  });
}
