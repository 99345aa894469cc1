import { describe, expect, it } from 'vitest';
import { imageName, rangeName } from '../../../src/disk/disk-image.ts';
import { parseDiskInfo } from '../../../src/disk/disk-info.ts';
import { formatOptions, makeProgressReader } from '../../../src/disk/qemu-img.ts';
import { describeQemuImgFailure } from '../../../src/disk/qemu-img-failure.ts';
import { KvmimgError } from '../../../src/errors.ts';

describe('imageName', () => {
  it('states the format and takes any path', () => {
    expect(JSON.parse(imageName({ path: '/a,b:c "d"', format: 'raw' }).replace(/^json:/, ''))).toEqual({
      driver: 'raw',
      file: { driver: 'file', filename: '/a,b:c "d"' },
    });
  });

  it('points into a file', () => {
    const within = { offsetBytes: 1024, sizeBytes: 4096 };
    expect(JSON.parse(imageName({ path: '/a.ova', format: 'vmdk', within }).replace(/^json:/, ''))).toEqual({
      driver: 'vmdk',
      file: { driver: 'raw', offset: 1024, size: 4096, file: { driver: 'file', filename: '/a.ova' } },
    });
  });

  it('reads a range of the virtual disk as a disk of its own', () => {
    const name = rangeName({ path: '/a.qcow2', format: 'qcow2' }, { offsetBytes: 512, sizeBytes: 1024 });
    expect(JSON.parse(name.replace(/^json:/, ''))).toMatchObject({ driver: 'raw', offset: 512, size: 1024 });
  });
});

describe('formatOptions', () => {
  it('doubles commas and keeps the order', () => {
    expect(formatOptions({ subformat: 'a,b', hwversion: 15 })).toBe('subformat=a,,b,hwversion=15');
  });
});

describe('makeProgressReader', () => {
  it('reads fractions however the output is cut', () => {
    const seen: number[] = [];
    const read = makeProgressReader((fraction) => seen.push(fraction));
    for (const piece of ['    (0.00/10', '0%)\r    (12.50/100%)\r  ', ' (99.', '00/100%)\r', '    (100.00/100%)\n'])
      read(piece);
    expect(seen).toEqual([0.125, 0.99, 1]);
  });

  it('takes no notice of anything else', () => {
    const seen: number[] = [];
    makeProgressReader((fraction) => seen.push(fraction))('Images are identical.\n'.repeat(1000));
    expect(seen).toEqual([]);
  });
});

describe('describeQemuImgFailure', () => {
  const files = { reads: '/in.qcow2', writes: '/out.raw' };
  const failure = (line: string) =>
    new KvmimgError({
      code: 'program-failed',
      message: 'qemu-img failed with exit code 1.',
      evidence: [
        { title: 'Command', lines: ['qemu-img convert'] },
        { title: 'Its last lines', lines: [line] },
      ],
    });

  const cases = [
    ['error while writing at byte 5242880: No space left on device', 'no-space', '/out.raw'],
    ['error while converting raw: Could not resize file: File too large', 'no-space', '/out.raw'],
    ['Could not open: Failed to get shared "write" lock', 'image-in-use', '/in.qcow2'],
    ['/out: Failed to get "write" lock\nIs another process using the image [/out]?', 'image-in-use', '/out.raw'],
    ['Failed to get "consistent read" lock\nIs another process using the image [/in]?', 'image-in-use', '/in.qcow2'],
    ["Could not open '/out.raw': Permission denied", 'image-permission', '/out.raw'],
    ["Could not open '/x': No such file or directory", 'image-missing', '/in.qcow2'],
    ["Could not open backing file: Could not open '/b': No such file or directory", 'backing-missing', '/in.qcow2'],
    ["Could not open 'a.raw': Image is not in qcow2 format", 'not-an-image', '/in.qcow2'],
  ] as const;

  it.each(cases)('%s', (line, code, path) => {
    const described = describeQemuImgFailure(failure(line), files, { readFileExists: false, deviceIsFull: false });
    expect(described).toMatchObject({ code, message: expect.stringContaining(path) });
    expect(described).toMatchObject({ evidence: [{ title: 'Command' }, { lines: [line] }] });
  });

  it('leaves what it does not know as it is', () => {
    const unknown = failure('something new');
    expect(describeQemuImgFailure(unknown, files, { readFileExists: true, deviceIsFull: true })).toBe(unknown);
  });

  it('tells a full device by itself where qemu-img calls it an invalid argument', () => {
    const error = failure('error while writing at byte 7274496: Invalid argument');
    const seen = { readFileExists: true, deviceIsFull: true };
    expect(describeQemuImgFailure(error, files, seen)).toMatchObject({ code: 'no-space' });
    expect(describeQemuImgFailure(error, files, { ...seen, deviceIsFull: false })).toMatchObject({
      code: 'write-failed',
    });
  });

  it('blames the backing file when the image itself is there', () => {
    const error = failure("Could not open 'base.qcow2': No such file or directory");
    const seen = { readFileExists: true, deviceIsFull: false };
    expect(describeQemuImgFailure(error, files, seen)).toMatchObject({ code: 'backing-missing' });
  });
});

describe('parseDiskInfo', () => {
  it('gives the size and the backing chain', () => {
    const entry = { format: 'qcow2', 'virtual-size': 64 };
    const json = [
      { ...entry, filename: '/top', 'format-specific': { type: 'qcow2', data: { compat: '1.1', corrupt: false } } },
      { ...entry, filename: '/base' },
    ];
    expect(parseDiskInfo(json, { path: '/top', format: 'qcow2' })).toMatchObject({
      virtualSizeBytes: 64,
      compat: '1.1',
      backingChain: [{ path: '/base', format: 'qcow2' }],
    });
  });
});
