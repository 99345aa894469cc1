export const sectorBytes = 512;

export interface Partition {
  /** From 1, as Linux counts them. */
  readonly number: number;
  readonly offsetBytes: number;
  readonly sizeBytes: number;
  /** `EFI system`, `Linux data`, or the bare id of a type that has no name here. */
  readonly type: string;
  /** Type GUID (GPT) or byte (MBR, such as `0x83`). */
  readonly typeId: string;
  /** GPT only. */
  readonly name?: string;
  readonly uuid?: string;
  /** MBR only: marked active. */
  readonly active?: boolean;
}

/** GPT partition type GUIDs that a Linux image can hold. */
export const gptTypes: Readonly<Record<string, string>> = {
  '21686148-6449-6e6f-744e-656564454649': 'BIOS boot',
  'c12a7328-f81f-11d2-ba4b-00a0c93ec93b': 'EFI system',
  '0fc63daf-8483-4772-8e79-3d69d8477de4': 'Linux data',
  '4f68bce3-e8cd-4db1-96e7-fbcaf984b709': 'Linux root (x86-64)',
  'b921b045-1df0-41c3-af44-4c6f280d3fae': 'Linux root (ARM64)',
  'bc13c2ff-59e6-4262-a352-b275fd6f7172': 'Linux extended boot',
  '0657fd6d-a4ab-43c4-84e5-0933c84b4f4f': 'Linux swap',
  'e6d6d379-f507-44c2-a23c-238f2a3df928': 'Linux LVM',
  'a19d880f-05fc-4d3b-a006-743f0f84911e': 'Linux RAID',
  '933ac7e1-2eb4-4f13-b844-0e14e2aef915': 'Linux home',
  '4d21b016-b534-45c2-a9fb-5c16e091fd2d': 'Linux variable data',
  '3b8f8425-20e0-4f3b-907f-1a25a76f98e8': 'Linux server data',
  'ebd0a0a2-b9e5-4433-87c0-68b6b72699c7': 'Microsoft basic data',
  'e3c9e316-0b5c-4db8-817d-f92df00215ae': 'Microsoft reserved',
  '9e1a2d38-c612-4316-aa26-8b49521e5a8b': 'PReP boot',
};

/** MBR partition types, by their byte. */
export const mbrTypes: Readonly<Record<number, string>> = {
  1: 'FAT12',
  5: 'extended',
  6: 'FAT16',
  7: 'NTFS or exFAT',
  11: 'FAT32',
  12: 'FAT32 (LBA)',
  14: 'FAT16 (LBA)',
  15: 'extended (LBA)',
  130: 'Linux swap',
  131: 'Linux data',
  133: 'Linux extended',
  142: 'Linux LVM',
  238: 'GPT protective',
  239: 'EFI system',
  253: 'Linux RAID',
};
