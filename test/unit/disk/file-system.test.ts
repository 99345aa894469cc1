import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ext4Superblock, fat32BootSector, rootUuid } from '../../../fixtures/disks/gpt-disk.ts';
import { findFileSystem, superblockBytes } from '../../../src/disk/file-system.ts';

const uuidBytes = Buffer.from(rootUuid.replaceAll('-', ''), 'hex');

function start(...pieces: readonly (readonly [number, string | Buffer])[]): Buffer {
  const bytes = Buffer.alloc(superblockBytes);
  for (const [offset, piece] of pieces) {
    bytes.set(typeof piece === 'string' ? Buffer.from(piece, 'latin1') : piece, offset);
  }
  return bytes;
}

describe('findFileSystem', () => {
  const cases = [
    ['ext4', start([0, ext4Superblock(rootUuid, 'root')]), { type: 'ext4', uuid: rootUuid, label: 'root' }],
    ['ext2', start([1024 + 56, '\x53\xef'], [1024 + 104, uuidBytes]), { type: 'ext2', uuid: rootUuid }],
    ['xfs', start([0, 'XFSB'], [32, uuidBytes], [108, 'data']), { type: 'xfs', uuid: rootUuid, label: 'data' }],
    ['vfat', start([0, fat32BootSector(0xc0ffee42, 'ESP')]), { type: 'vfat', uuid: 'C0FF-EE42', label: 'ESP' }],
    ['vfat without label', start([0, fat32BootSector(1, 'NO NAME')]), { type: 'vfat', uuid: '0000-0001' }],
    [
      'btrfs',
      start([65_536 + 64, '_BHRfS_M'], [65_536 + 32, uuidBytes], [65_536 + 299, 'pool']),
      { type: 'btrfs', uuid: rootUuid, label: 'pool' },
    ],
    ['swap', start([4086, 'SWAPSPACE2'], [1036, uuidBytes]), { type: 'swap', uuid: rootUuid }],
    [
      'LVM',
      start([512, 'LABELONE'], [536, 'LVM2 001'], [544, 'abcdefghijklmnopqrstuvwxyz012345']),
      { type: 'LVM physical volume', uuid: 'abcdef-ghij-klmn-opqr-stuv-wxyz-012345' },
    ],
    ['LUKS', start([0, 'LUKS\xba\xbe'], [168, rootUuid]), { type: 'luks', uuid: rootUuid }],
  ] as const;

  it.each(cases)('%s', (_, bytes, expected) => {
    expect(findFileSystem(bytes)).toEqual(expected);
  });

  it('gives undefined for zeros and for short pieces', () => {
    expect(findFileSystem(start())).toBeUndefined();
    expect(findFileSystem(Buffer.from('XFSB'))).toBeUndefined();
  });

  it('never throws, wherever the bytes are cut', () => {
    fc.assert(
      fc.property(fc.constantFrom(...cases), fc.nat(superblockBytes), ([, bytes], length) => {
        findFileSystem(bytes.subarray(0, length));
      }),
    );
  });
});
