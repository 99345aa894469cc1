import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { DiskImage } from '../../src/disk/disk-image.ts';
import { readDiskInfo } from '../../src/disk/disk-info.ts';
import { readDiskLayout } from '../../src/disk/disk-layout.ts';
import { convertRanges } from '../../src/disk/qemu-img.ts';
import { run } from '../../src/process/run.ts';

const limitMs = 10 * 60_000;

/**
 * Looks at the disk of a layer without booting it: each image of the chain is whole, and so is the file system of its
 * root. Gives the contents of files there, without their last line break.
 */
export async function readFromLayer(diskPath: string, paths: readonly string[]): Promise<string[]> {
  const info = await readDiskInfo(diskPath);
  const chain = [diskPath, ...info.backingChain.map(({ path }) => path)];
  expect(chain.length, 'layers of the chain').toBeGreaterThan(1);
  for (const image of chain) await run('qemu-img', ['check', '-q', image], { timeoutMs: limitMs });
  const folder = await mkdtemp(join(tmpdir(), 'kvmimg-chaos-disk-'));
  try {
    const root = join(folder, 'root.raw');
    await copyRoot({ path: diskPath, format: 'qcow2' }, info.virtualSizeBytes, root);
    // The guest had synced and went on: its journal is replayed first, as at the next boot. 1: something was to do.
    await run('e2fsck', ['-f', '-p', root], { okExitCodes: [0, 1], timeoutMs: limitMs });
    const contents = paths.map((path) => run('debugfs', ['-R', `cat ${path}`, root]));
    return (await Promise.all(contents)).map(({ stdout }) => stdout.replace(/\n$/, ''));
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** The last partition of a disk as a file of its own: e2fsck cannot replay the journal of one within a disk. */
async function copyRoot(disk: DiskImage, virtualSizeBytes: number, destination: string): Promise<void> {
  const { partitions } = await readDiskLayout(disk, virtualSizeBytes);
  const root = partitions.at(-1);
  if (root === undefined) throw new Error(`${disk.path} has no partitions`);
  await convertRanges(disk, [root], destination);
}
