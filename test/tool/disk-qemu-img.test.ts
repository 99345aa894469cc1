import { mkdtemp, readdir, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mebibyte, writeGptDisk } from '../../fixtures/disks/gpt-disk.ts';
import type { DiskImage } from '../../src/disk/disk-image.ts';
import { readDiskInfo } from '../../src/disk/disk-info.ts';
import { readDiskLayout } from '../../src/disk/disk-layout.ts';
import { checkDisk, compareDisks, convertDisk, createDisk } from '../../src/disk/qemu-img.ts';
import { withScope } from '../../src/lifecycle/scope.ts';
import { run } from '../../src/process/run.ts';
import { start } from '../../src/process/start.ts';
import { waitUntil } from '../../src/wait/wait-until.ts';

let folder = '';
let raw: DiskImage = { path: '', format: 'raw' };
const diskSizeBytes = 64 * mebibyte;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kvmimg-test-'));
  raw = { path: join(folder, 'disk, "a:b".raw'), format: 'raw' };
  await writeGptDisk(raw.path, diskSizeBytes);
});
afterAll(() => rm(folder, { recursive: true }));

const qcow2At = (name: string): DiskImage & { readonly format: 'qcow2' } => ({
  path: join(folder, name),
  format: 'qcow2',
});

describe('disks', () => {
  it('are created, and overlays show what they stand on', async () => {
    const base = qcow2At('base.qcow2');
    const overlay = qcow2At('overlay.qcow2');
    await createDisk({ ...base, sizeBytes: diskSizeBytes });
    await run('qemu-io', ['-c', 'write -P 0x5a 1M 64k', base.path]);
    await createDisk({ ...overlay, backing: { path: 'base.qcow2', format: 'qcow2' } });
    expect(await readDiskInfo(overlay.path)).toMatchObject({
      format: 'qcow2',
      virtualSizeBytes: diskSizeBytes,
      compat: '1.1',
      backingChain: [{ path: base.path, format: 'qcow2' }],
    });
    expect(await compareDisks(base, overlay)).toEqual({ same: true });
    await run('qemu-io', ['-c', 'write -P 0x5b 3M 64k', overlay.path]);
    const comparison = await compareDisks(base, overlay);
    expect(comparison).toEqual({ same: false, difference: 'Content mismatch at offset 3145728!' });
  });

  it('are converted with progress, from any path, and hold the same', async () => {
    const destination = qcow2At('converted.qcow2');
    const fractions: number[] = [];
    await convertDisk({ source: raw, destination }, { onProgress: (fraction) => fractions.push(fraction) });
    expect(fractions.length).toBeGreaterThan(2);
    expect(fractions.at(-1)).toBe(1);
    expect(fractions).toEqual(fractions.toSorted((a, b) => a - b));
    expect(await compareDisks(raw, destination)).toEqual({ same: true });
    expect(await checkDisk(destination)).toMatchObject({ state: 'clean', compressedClusters: 0 });
  });

  it('show a raw disk as raw, whatever a guest has written to it', async () => {
    const path = join(folder, 'guest.raw');
    await writeFile(path, Buffer.concat([Buffer.from('QFI\xfb', 'latin1'), Buffer.alloc(2044)]));
    expect(await readDiskInfo({ path, format: 'raw' })).toMatchObject({ format: 'raw', virtualSizeBytes: 2048 });
  });

  it('stop being converted when that is aborted', async () => {
    const controller = new AbortController();
    const options = { signal: controller.signal, onProgress: () => controller.abort(new Error('enough')) };
    const work = convertDisk({ source: raw, destination: qcow2At('aborted.qcow2'), compress: true }, options);
    await expect(work).rejects.toThrow('enough');
  });
});

describe('failures', () => {
  it('say that an image is damaged', async () => {
    const broken = qcow2At('broken.qcow2');
    await createDisk({ ...broken, sizeBytes: diskSizeBytes });
    await truncate(broken.path, 70);
    await expect(readDiskInfo(broken.path)).rejects.toMatchObject({ code: 'not-an-image' });
  });

  it('say that a file is something else', async () => {
    const path = join(folder, 'recipe.yaml');
    await writeFile(path, 'distro: debian-13\n');
    await expect(readDiskInfo(path)).rejects.toThrow(`${path} is not a disk image: it is a text file.`);
  });

  it('say that a file is not there, and which backing file is not', async () => {
    await expect(readDiskInfo(join(folder, 'none.qcow2'))).rejects.toMatchObject({ code: 'image-missing' });
    const orphan = qcow2At('orphan.qcow2');
    const lost = qcow2At('lost.qcow2');
    await createDisk({ ...lost, sizeBytes: mebibyte });
    await createDisk({ ...orphan, backing: lost });
    await rm(lost.path);
    await expect(readDiskInfo(orphan.path)).rejects.toMatchObject({ code: 'backing-missing' });
    const failed = createDisk({ ...qcow2At('new.qcow2'), backing: lost });
    await expect(failed).rejects.toMatchObject({
      code: 'backing-missing',
      message: expect.stringContaining('new.qcow2'),
    });
    expect(await readdir(folder)).not.toContain('new.qcow2');
  });

  it('say that an image is in use, and -U reads it all the same', async () => {
    const busy = qcow2At('busy.qcow2');
    await createDisk({ ...busy, sizeBytes: diskSizeBytes });
    await withScope(async (scope) => {
      const user = await start('qemu-io', ['-c', 'sleep 30000', busy.path]);
      scope.defer('end qemu-io', async () => {
        user.kill('SIGKILL');
        await user.exited;
      });
      const failure = await waitUntil({
        subject: 'qemu-io to hold the image',
        limitMs: 10_000,
        signal: new AbortController().signal,
        check: () =>
          readDiskInfo(busy.path).then(
            () => undefined,
            (error: unknown) => error,
          ),
      });
      expect(failure).toMatchObject({ code: 'image-in-use', message: expect.stringContaining(busy.path) });
      expect(await readDiskInfo(busy.path, { whileInUse: true })).toMatchObject({ virtualSizeBytes: diskSizeBytes });
    });
  });
});

describe('readDiskLayout', () => {
  it.each(['raw', 'qcow2', 'vmdk'] as const)('reads partitions and file systems of a %s', async (format) => {
    const image = format === 'raw' ? raw : { path: join(folder, `layout.${format}`), format };
    if (format !== 'raw') await convertDisk({ source: raw, destination: image });
    const layout = await readDiskLayout(image, diskSizeBytes);
    expect(layout).toMatchObject({ table: 'gpt', boots: { bios: true, uefi: true }, problems: [] });
    expect(layout.partitions).toMatchObject([
      { type: 'BIOS boot', sizeBytes: mebibyte },
      { type: 'EFI system', fileSystem: { type: 'vfat', uuid: 'C0FF-EE42', label: 'ESP' } },
      { type: 'Linux root (x86-64)', fileSystem: { type: 'ext4', label: 'cloudimg-rootfs' } },
    ]);
  });

  it('reads the file system of a bare disk, and what mke2fs wrote', async () => {
    const path = join(folder, 'bare.raw');
    await writeFile(path, '');
    await truncate(path, 8 * mebibyte);
    await run('/usr/sbin/mke2fs', [
      '-q',
      '-t',
      'ext4',
      '-L',
      'bare',
      '-U',
      '11111111-2222-3333-4444-555555555555',
      path,
    ]);
    const layout = await readDiskLayout({ path, format: 'raw' }, (await stat(path)).size);
    expect(layout).toEqual({
      table: 'none',
      partitions: [],
      boots: { bios: false, uefi: false },
      problems: [],
      fileSystem: { type: 'ext4', uuid: '11111111-2222-3333-4444-555555555555', label: 'bare' },
    });
  });
});
