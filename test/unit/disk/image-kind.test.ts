import { describe, expect, it } from 'vitest';
import { findImageKind } from '../../../src/disk/image-kind.ts';

const sector = 512;

function startingWith(text: string, offset = 0): Buffer {
  const start = Buffer.alloc(33 * 1024);
  start.write(text, offset, 'latin1');
  return start;
}

describe('findImageKind', () => {
  const cases = [
    ['a qcow2', startingWith('QFI\xfb'), { is: 'disk', format: 'qcow2' }],
    ['a sparse VMDK', startingWith('KDMV'), { is: 'disk', format: 'vmdk' }],
    ['a VMDK descriptor', Buffer.from('# Disk DescriptorFile\nversion=1\n'), { is: 'disk', format: 'vmdk' }],
    ['a tar', startingWith('ustar', 257), { is: 'ova' }],
    ['a blank disk', startingWith(''), { is: 'disk', format: 'raw' }],
    ['gzip', startingWith('\x1f\x8b'), { is: 'other', what: 'compressed by gzip' }],
    ['xz', startingWith('\xfd7zXZ\0'), { is: 'other', what: 'compressed by xz' }],
    ['an ISO', startingWith('CD001', 32_769), { is: 'other', what: expect.stringContaining('ISO 9660') }],
    ['VHDX', startingWith('vhdxfile'), { is: 'other', what: 'a VHDX image' }],
    ['a program', startingWith('\x7fELF'), { is: 'other', what: 'a program (ELF)' }],
    ['text', Buffer.from('distro: debian-13\n'.repeat(64)), { is: 'other', what: 'a text file' }],
  ] as const;

  it.each(cases)('%s', (_, start, kind) => {
    expect(findImageKind(start, 64 * sector)).toMatchObject(kind);
  });

  it('tells an empty file', () => {
    expect(findImageKind(Buffer.alloc(0), 0)).toMatchObject({ is: 'other', what: 'an empty file' });
  });

  it('takes no file that is not whole sectors for a raw disk', () => {
    expect(findImageKind(startingWith(''), 64 * sector + 1)).toMatchObject({ is: 'other' });
  });
});
