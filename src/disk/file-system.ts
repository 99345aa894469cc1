/** What lies on a partition, by the magic of its superblock. */
export interface FileSystem {
  readonly type: string;
  readonly uuid?: string;
  readonly label?: string;
}

/** As much of the start of a partition as is read: the btrfs superblock is at 64 KiB and 4 KiB long. */
export const superblockBytes = 68 * 1024;

interface Signature {
  readonly offset: number;
  readonly magic: string;
  /** Reads the rest of the superblock; called when the buffer is long enough for it. */
  readonly read: (start: Buffer) => FileSystem;
  readonly neededBytes: number;
}

const signatures: readonly Signature[] = [
  {
    offset: 0,
    magic: 'LUKS\xba\xbe',
    neededBytes: 208,
    read: (start) => ({ type: 'luks', uuid: text(start, 168, 40) }),
  },
  {
    offset: 0,
    magic: 'XFSB',
    neededBytes: 120,
    read: (start) => ({ type: 'xfs', uuid: uuid(start, 32), label: text(start, 108, 12) }),
  },
  { offset: 0, magic: 'hsqs', neededBytes: 96, read: () => ({ type: 'squashfs' }) },
  { offset: 1024 + 56, magic: '\x53\xef', neededBytes: 2048, read: readExt },
  {
    offset: 65_536 + 64,
    magic: '_BHRfS_M',
    neededBytes: 65_536 + 555,
    read: (start) => ({ type: 'btrfs', uuid: uuid(start, 65_536 + 32), label: text(start, 65_536 + 299, 256) }),
  },
  {
    offset: 4086,
    magic: 'SWAPSPACE2',
    neededBytes: 4096,
    read: (start) => ({ type: 'swap', uuid: uuid(start, 1036), label: text(start, 1052, 16) }),
  },
  {
    offset: 512 + 24,
    magic: 'LVM2 001',
    neededBytes: 1024,
    read: (start) => ({ type: 'LVM physical volume', uuid: lvmUuid(text(start, 512 + 32, 32)) }),
  },
  { offset: 82, magic: 'FAT32   ', neededBytes: 512, read: (start) => readFat(start, 67) },
  { offset: 54, magic: 'FAT1', neededBytes: 512, read: (start) => readFat(start, 39) },
  { offset: 3, magic: 'NTFS    ', neededBytes: 512, read: () => ({ type: 'ntfs' }) },
  {
    offset: 32_769,
    magic: 'CD001',
    neededBytes: 32_768 + 72,
    read: (start) => ({ type: 'iso9660', label: text(start, 32_768 + 40, 32) }),
  },
];

/** Finds the file system by the first 68 KiB of its partition. */
export function findFileSystem(start: Buffer): FileSystem | undefined {
  const signature = signatures.find(
    ({ offset, magic, neededBytes }) =>
      start.length >= neededBytes && start.toString('latin1', offset, offset + magic.length) === magic,
  );
  if (!signature) return undefined;
  const { type, uuid: id, label } = signature.read(start);
  return { type, ...(id ? { uuid: id } : {}), ...(label ? { label } : {}) };
}

/** Linux, fs/ext4/ext4.h: which of the three it is shows in the features it cannot be read without. */
function readExt(start: Buffer): FileSystem {
  const hasJournal = (start.readUInt32LE(1024 + 92) & 0x4) !== 0;
  const ext4Only = 0x40 | 0x80 | 0x200 | 0x8000;
  const isExt4 = (start.readUInt32LE(1024 + 96) & ext4Only) !== 0;
  return {
    type: isExt4 ? 'ext4' : hasJournal ? 'ext3' : 'ext2',
    uuid: uuid(start, 1024 + 104),
    label: text(start, 1024 + 120, 16),
  };
}

function readFat(start: Buffer, serialOffset: number): FileSystem {
  const serial = start.readUInt32LE(serialOffset).toString(16).toUpperCase().padStart(8, '0');
  const label = text(start, serialOffset + 4, 11);
  return { type: 'vfat', uuid: `${serial.slice(0, 4)}-${serial.slice(4)}`, ...(label === 'NO NAME' ? {} : { label }) };
}

function text(buffer: Buffer, offset: number, length: number): string {
  return buffer
    .toString('utf8', offset, offset + length)
    .replace(/\0.*$/s, '')
    .trim();
}

function uuid(buffer: Buffer, offset: number): string {
  const hex = buffer.toString('hex', offset, offset + 16);
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

/** LVM writes its ids without the dashes that it shows. */
function lvmUuid(id: string): string {
  return id.replace(/^(.{6})(.{4})(.{4})(.{4})(.{4})(.{4})(.{6})$/, '$1-$2-$3-$4-$5-$6-$7');
}
