import { createHash } from 'node:crypto';
import { mkdtemp, open, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mebibyte, writeGptDisk } from '../../fixtures/disks/gpt-disk.ts';
import type { DiskImage } from '../../src/disk/disk-image.ts';
import { readDiskInfo } from '../../src/disk/disk-info.ts';
import { checkDisk, compareDisks, createDisk } from '../../src/disk/qemu-img.ts';
import { withByteSource } from '../../src/export/byte-source.ts';
import { type ExportedImage, exportImages } from '../../src/export/export-images.ts';
import { makeMachineFacts } from '../../src/export/machine-facts.ts';
import { diskOfOva, readOva } from '../../src/export/ova-reader.ts';
import { findDescriptorValue } from '../../src/export/vmdk-descriptor.ts';
import { readVmdkExtent } from '../../src/export/vmdk-extent.ts';
import { run } from '../../src/process/run.ts';
import { formats } from '../../src/recipe/schema.ts';

const facts = makeMachineFacts({ title: 'Test', hardwareVersion: 17 });
const diskSizeBytes = 128 * mebibyte;
let folder = '';
let source: DiskImage;
let exported: readonly ExportedImage[] = [];
const progress: [number, string][] = [];

const pathOf = (format: string, name = 'disk'): string => join(folder, `${name}.${format}`);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kvmimg-test-'));
  // As the sealed layer is: an overlay on another disk.
  await writeGptDisk(join(folder, 'base'), diskSizeBytes);
  source = { path: join(folder, 'layer'), format: 'qcow2' };
  await createDisk({ ...source, backing: { path: join(folder, 'base'), format: 'raw' } });
  await run('qemu-io', ['-c', 'write -P 0x5a 70M 1M', source.path]);
  const outputs = formats.map((format) => ({ format, path: pathOf(format) }));
  const onProgress = (fraction: number, activity: string) => progress.push([fraction, activity]);
  exported = await exportImages({ source, outputs, facts }, { onProgress });
}, 60_000);
afterAll(() => rm(folder, { recursive: true }));

describe('exportImages', () => {
  it('leaves the four files and nothing else, in the order asked for', async () => {
    expect(exported.map((file) => file.path)).toEqual(formats.map((format) => pathOf(format)));
    expect((await readdir(folder)).sort()).toEqual([
      'base',
      'disk.ova',
      'disk.qcow2',
      'disk.raw',
      'disk.vmdk',
      'layer',
    ]);
  });

  it.each(['qcow2', 'raw', 'vmdk'] as const)('writes the same disk as %s', async (format) => {
    expect(await compareDisks(source, { path: pathOf(format), format })).toEqual({ same: true });
  });

  it('writes an OVA whose VMDK, taken out by tar, is the VMDK', async () => {
    await run('tar', ['-xf', pathOf('ova'), '-C', folder, '--transform', 's/^disk/unpacked/', 'disk.vmdk']);
    const [inside, beside] = await Promise.all([readFile(pathOf('vmdk', 'unpacked')), readFile(pathOf('vmdk'))]);
    expect(inside.equals(beside)).toBe(true);
    expect(await compareDisks(source, { path: pathOf('vmdk', 'unpacked'), format: 'vmdk' })).toEqual({ same: true });
    expect(await compareDisks(source, diskOfOva(await readOva(pathOf('ova'))))).toEqual({ same: true });
    await rm(pathOf('vmdk', 'unpacked'));
  });

  it('writes an OVA that tar lists as ovf, mf, vmdk, of root and for all to read', async () => {
    const { stdout } = await run('tar', ['--numeric-owner', '-tvf', pathOf('ova')]);
    const lines = stdout.trim().split('\n');
    expect(lines).toEqual(
      ['ovf', 'mf', 'vmdk'].map((type) => expect.stringMatching(`^-rw-r--r-- 0/0 .* disk.${type}$`)),
    );
  });

  it('tells the sizes and digests of the files', async () => {
    for (const file of exported) {
      const sha256 = createHash('sha256')
        .update(await readFile(file.path))
        .digest('hex');
      expect(file).toMatchObject({
        sha256,
        sizeBytes: (await stat(file.path)).size,
        warnings: [],
      });
    }
  });

  it('compresses the qcow2 and keeps the holes of the raw', async () => {
    expect(await checkDisk({ path: pathOf('qcow2'), format: 'qcow2' })).toMatchObject({
      state: 'clean',
      compressedClusters: expect.toSatisfy((count: number) => count > 0),
    });
    expect(await readDiskInfo(pathOf('qcow2'))).toMatchObject({ compat: '1.1', backingChain: [] });
    const raw = await stat(pathOf('raw'));
    expect(raw.size).toBe(diskSizeBytes);
    expect(raw.blocks * 512).toBeLessThan(16 * mebibyte);
  });

  it('ends the VMDK with exactly one end-of-stream sector behind the last grain', async () => {
    const { size } = await stat(pathOf('vmdk'));
    const extent = await withByteSource({ path: pathOf('vmdk') }, readVmdkExtent);
    expect(extent).toMatchObject({ grainsEndBytes: size - 512, endsWithMarker: true });
    expect(extent.header).toMatchObject({ version: 3, capacityBytes: diskSizeBytes, compressed: true });
    const file = await open(pathOf('vmdk'));
    const before = await file.read(Buffer.alloc(512), 0, 512, size - 1024);
    await file.close();
    expect(before.buffer.some((byte) => byte !== 0)).toBe(true);
  });

  it('describes the VMDK for vSphere, under its own name', async () => {
    const { descriptor } = await withByteSource({ path: pathOf('vmdk') }, readVmdkExtent);
    expect(findDescriptorValue(descriptor, 'ddb.adapterType')).toBe('lsilogic');
    expect(findDescriptorValue(descriptor, 'ddb.virtualHWVersion')).toBe('17');
    expect(descriptor).toContain('"disk.vmdk"');
    expect(descriptor).not.toContain('partial');
  });

  it('tells progress that only grows, in words and as a whole', () => {
    expect(progress.length).toBeGreaterThan(5);
    expect(progress.map(([fraction]) => fraction)).toEqual(
      progress.map(([fraction]) => fraction).toSorted((a, b) => a - b),
    );
    expect(progress.some(([, activity]) => /qcow2 \d+ %/.test(activity))).toBe(true);
    expect(progress.at(-1)?.[0]).toBe(1);
  });

  it('writes the same bytes again', async () => {
    const again = formats.map((format) => ({ format, path: join(folder, 'again', `disk.${format}`) }));
    await run('mkdir', [join(folder, 'again')]);
    const second = await exportImages({ source, outputs: again, facts });
    expect(second.map((file) => file.sha256)).toEqual(exported.map((file) => file.sha256));
    await rm(join(folder, 'again'), { recursive: true });
  });

  it('writes an OVA alone, and replaces one that is there', async () => {
    const written = await exportImages({ source, outputs: [{ format: 'ova', path: pathOf('ova') }], facts });
    expect(written.map((file) => file.sha256)).toEqual([exported.find((file) => file.format === 'ova')?.sha256]);
    expect((await readdir(folder)).filter((name) => name.includes('partial'))).toEqual([]);
  });
});
