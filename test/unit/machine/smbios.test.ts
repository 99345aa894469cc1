import { describe, expect, it } from 'vitest';
import { makeSmbiosSystemTable } from '../../../src/machine/smbios.ts';

describe('makeSmbiosSystemTable', () => {
  const table = makeSmbiosSystemTable('ds=nocloud;s=http://h/', '00112233-4455-6677-8899-aabbccddeeff');

  it('is a type 1 structure of 27 bytes and its strings, ended by an empty one', () => {
    expect([table[0], table[1]]).toEqual([1, 27]);
    expect(table.subarray(27).toString()).toBe('QEMU\0Virtual Machine\0ds=nocloud;s=http://h/\0\0');
  });

  it('names the third string as the serial number', () => {
    expect(table[7]).toBe(3);
  });

  it('has the first fields of the UUID in little-endian order', () => {
    expect(table.subarray(8, 24).toString('hex')).toBe('33221100554477668899aabbccddeeff');
  });
});
