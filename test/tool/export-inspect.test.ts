import { mkdtemp, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mebibyte, rootUuid, writeGptDisk } from '../../fixtures/disks/gpt-disk.ts';
import { createDisk } from '../../src/disk/qemu-img.ts';
import { type ExportedImage, exportImages } from '../../src/export/export-images.ts';
import { inspectImage } from '../../src/export/inspect-image.ts';
import { makeMachineFacts } from '../../src/export/machine-facts.ts';
import { renderDescription } from '../../src/export/render-description.ts';
import { formats } from '../../src/recipe/schema.ts';

let folder = '';
let exported: readonly ExportedImage[] = [];
const pathOf = (format: string): string => join(folder, `disk.${format}`);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kvmimg-test-'));
  const source = { path: join(folder, 'source'), format: 'raw' as const };
  await writeGptDisk(source.path, 64 * mebibyte);
  const outputs = formats.map((format) => ({ format, path: pathOf(format) }));
  exported = await exportImages({ source, outputs, facts: makeMachineFacts({ title: 'Test' }) });
});
afterAll(() => rm(folder, { recursive: true }));

describe('inspectImage', () => {
  it.each(formats)('describes the disk in a %s', async (format) => {
    const image = await inspectImage(pathOf(format));
    expect(image).toMatchObject({ format, fileSizeBytes: exported.find((file) => file.format === format)?.sizeBytes });
    expect(image.disk).toMatchObject({ virtualSizeBytes: 64 * mebibyte, backingChain: [] });
    expect(image.disk.layout).toMatchObject({
      table: 'gpt',
      boots: { bios: true, uefi: true },
      partitions: [
        { type: 'BIOS boot' },
        { type: 'EFI system', name: 'esp', fileSystem: { type: 'vfat' } },
        { type: 'Linux root (x86-64)', fileSystem: { type: 'ext4', uuid: rootUuid, label: 'cloudimg-rootfs' } },
      ],
    });
    expect(renderDescription(image).join('\n')).toMatch(/boots with: +BIOS and UEFI/);
    expect(JSON.parse(JSON.stringify(image))).toEqual(image);
  });

  it('tells how a qcow2 and a VMDK are made', async () => {
    const { qcow2 } = (await inspectImage(pathOf('qcow2'))).disk;
    expect(qcow2).toMatchObject({ compat: '1.1', check: 'clean' });
    expect(qcow2?.compressedFraction).toBeGreaterThan(0);
    expect((await inspectImage(pathOf('vmdk'))).disk.vmdk).toEqual({
      subformat: 'streamOptimized',
      version: 3,
      adapterType: 'lsilogic',
      hardwareVersion: '15',
      endsWithMarker: true,
    });
  });

  it('describes the machine of an OVA and checks its digests', async () => {
    expect((await inspectImage(pathOf('ova'))).ova).toMatchObject({
      members: [{ name: 'disk.ovf' }, { name: 'disk.mf' }, { name: 'disk.vmdk' }],
      manifest: 'matches',
      problems: [],
      machine: { name: 'disk', hardwareVersion: 'vmx-15', cpus: 2, memoryBytes: 2 ** 31, nics: [{ type: 'VmxNet3' }] },
    });
  });

  it('tells an OVA whose descriptor was changed', async () => {
    const path = join(folder, 'changed.ova');
    const bytes = await readFile(pathOf('ova'));
    bytes.write('9', bytes.indexOf('vmx-15') + 5);
    await writeFile(path, bytes);
    expect((await inspectImage(path)).ova).toMatchObject({
      manifest: 'differs',
      machine: { hardwareVersion: 'vmx-19' },
    });
  });

  it('tells the digest when asked for, and holds it against the manifest of the build', async () => {
    const digest = exported.find((file) => file.format === 'qcow2')?.sha256;
    expect(await inspectImage(pathOf('qcow2'))).not.toHaveProperty('sha256');
    expect(await inspectImage(pathOf('qcow2'), { withDigest: true })).toMatchObject({ sha256: digest });
    const record = {
      name: 'disk',
      distro: 'debian-13',
      kvmimgVersion: '0.1.0',
      createdAt: '2026-11-23T00:00:00.000Z',
      files: [
        { file: 'disk.qcow2', sizeBytes: 1, sha256: digest },
        { file: 'disk.vmdk', sizeBytes: 1, sha256: 'other' },
      ],
      packages: [{ name: 'bash', version: '5' }],
      plan: {
        recipe: { name: 'disk', arch: 'amd64', cpus: 2, memory: 2 ** 31, firmware: 'bios' },
        distro: {
          id: 'debian-13',
          title: 'Debian',
          release: '13',
          ovf: { id: 96, osType: 'debian10_64Guest', hardwareVersion: 15 },
        },
      },
    };
    await writeFile(join(folder, 'disk.manifest.json'), JSON.stringify(record));
    expect((await inspectImage(pathOf('qcow2'))).build).toMatchObject({ digest: 'matches', packageCount: 1 });
    expect((await inspectImage(pathOf('vmdk'))).build).toMatchObject({ digest: 'differs', distro: 'debian-13' });
    expect(await inspectImage(pathOf('raw'))).not.toHaveProperty('build');
    await rm(join(folder, 'disk.manifest.json'));
  });

  it('names the backing files of an overlay', async () => {
    const path = join(folder, 'overlay.qcow2');
    await createDisk({ path, format: 'qcow2', backing: { path: 'disk.raw', format: 'raw' } });
    const image = await inspectImage(path);
    expect(image.disk.backingChain).toEqual([{ path: pathOf('raw'), format: 'raw' }]);
    expect(image.disk.layout.table).toBe('gpt');
  });

  it('describes a blank disk', async () => {
    const path = join(folder, 'blank.raw');
    await writeFile(path, '');
    await truncate(path, mebibyte);
    expect((await inspectImage(path)).disk.layout).toMatchObject({ table: 'none', partitions: [] });
  });

  it('follows a link, and says what is no image', async () => {
    await symlink(pathOf('raw'), join(folder, 'link.raw'));
    expect((await inspectImage(join(folder, 'link.raw'))).format).toBe('raw');
    const path = join(folder, 'a.txt');
    await writeFile(path, 'hello\n');
    await expect(inspectImage(path)).rejects.toMatchObject({
      code: 'not-an-image',
      message: expect.stringContaining('a text file'),
    });
  });
});
