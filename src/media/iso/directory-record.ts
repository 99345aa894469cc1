import { blockBytes, type Extent } from './image-bytes.ts';

/** A directory record, ECMA-119 section 9.1. Multi-byte numbers are there in both orders; all readers use the first. */
export interface DirectoryRecord {
  readonly identifier: Buffer;
  readonly extent: Extent;
  readonly isFolder: boolean;
  /** The resource fork of the file of the same name. */
  readonly isAssociated: boolean;
  /** The next record goes on with the same file. */
  readonly isContinued: boolean;
  readonly isInterleaved: boolean;
  /** Where SUSP and Rock Ridge put their fields. */
  readonly systemUse: Buffer;
}

const minRecordBytes = 34;
const flag = { folder: 0x02, associated: 0x04, continued: 0x80 } as const;

/** undefined where the bytes do not begin with a whole record. */
export function parseRecord(bytes: Buffer): DirectoryRecord | undefined {
  const length = bytes[0] ?? 0;
  if (length < minRecordBytes || length > bytes.length) return undefined;
  const identifierEnd = 33 + bytes.readUInt8(32);
  if (identifierEnd === 33 || identifierEnd > length) return undefined;
  const flags = bytes.readUInt8(25);
  return {
    identifier: bytes.subarray(33, identifierEnd),
    // An extended attribute record lies before the content.
    extent: {
      offsetBytes: (bytes.readUInt32LE(2) + bytes.readUInt8(1)) * blockBytes,
      sizeBytes: bytes.readUInt32LE(10),
    },
    isFolder: (flags & flag.folder) !== 0,
    isAssociated: (flags & flag.associated) !== 0,
    isContinued: (flags & flag.continued) !== 0,
    isInterleaved: bytes.readUInt8(26) !== 0 || bytes.readUInt8(27) !== 0,
    systemUse: bytes.subarray(Math.min(identifierEnd + (identifierEnd % 2), length), length),
  };
}

/** The records of a folder: its own, its parent's, and those of what it holds. undefined where they are damaged. */
export function parseRecords(folder: Buffer): readonly DirectoryRecord[] | undefined {
  const records: DirectoryRecord[] = [];
  for (let start = 0; start < folder.length; start += blockBytes) {
    const inBlock = parseBlock(folder.subarray(start, start + blockBytes));
    if (!inBlock || inBlock.length === 0) return undefined;
    records.push(...inBlock);
  }
  return records;
}

/** No record crosses the end of its block; what the last one leaves is zero. */
function parseBlock(block: Buffer): readonly DirectoryRecord[] | undefined {
  const records: DirectoryRecord[] = [];
  for (let offset = 0; offset < block.length; ) {
    const rest = block.subarray(offset);
    if (rest[0] === 0) return rest.every((byte) => byte === 0) ? records : undefined;
    const record = parseRecord(rest);
    if (!record) return undefined;
    records.push(record);
    offset += rest.readUInt8(0);
  }
  return records;
}
