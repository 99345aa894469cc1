import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { findOutputProblems, judgeSpace } from '../../../src/export/convert-checks.ts';

const gibibyte = 2 ** 30;
const folder = (freeBytes: number, obstacle?: string) => ({ path: '/out', obstacle, freeBytes, fileSystem: 1 });

describe('judgeSpace', () => {
  it.each([
    ['raw takes all data', ['raw'], 8],
    ['a compressed format takes a quarter at least', ['qcow2'], 2],
    ['an OVA takes its VMDK as well', ['ova'], 4],
    ['a VMDK beside an OVA is made once', ['vmdk', 'ova'], 4],
    ['formats add up', ['qcow2', 'raw', 'vmdk', 'ova'], 14],
  ] as const)('%s', (_, formats, neededGibibytes) => {
    expect(judgeSpace(8 * gibibyte, formats, folder(neededGibibytes * gibibyte))).toEqual([]);
    expect(judgeSpace(8 * gibibyte, formats, folder(neededGibibytes * gibibyte - 1))).toMatchObject([
      { place: '--output', message: expect.stringContaining(`${neededGibibytes}`) },
    ]);
  });

  it('leaves a folder that cannot be written to the other check', () => {
    expect(judgeSpace(8 * gibibyte, ['raw'], folder(0, 'is not a folder'))).toEqual([]);
  });
});

describe('findOutputProblems', () => {
  it.each([false, true])('tells of an output that is a folder, with force: %s', async (force) => {
    const outputDir = await mkdtemp(join(tmpdir(), 'kvmimg-test-'));
    const path = join(outputDir, 'a.raw');
    try {
      await mkdir(path);
      const request = { outputDir, outputs: [{ format: 'raw' as const, path }], force, source: undefined };
      const message = 'is there, and is no file to replace';
      expect(await findOutputProblems(request)).toMatchObject([{ place: path, message }]);
    } finally {
      await rm(outputDir, { recursive: true });
    }
  });
});
