import {
  copyFile,
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mebibyte, writeGptDisk } from '../../fixtures/disks/gpt-disk.ts';
import type { DiskImage } from '../../src/disk/disk-image.ts';
import { compareDisks, createDisk } from '../../src/disk/qemu-img.ts';
import { InputError } from '../../src/errors.ts';
import { type ConvertRequest, convertImage } from '../../src/export/convert-image.ts';
import { exportImages } from '../../src/export/export-images.ts';
import { makeMachineFacts } from '../../src/export/machine-facts.ts';
import { diskOfOva, readOva } from '../../src/export/ova-reader.ts';
import { type Format, formats } from '../../src/recipe/schema.ts';

let folder = '';
let sources = '';
let disk: DiskImage = { path: '', format: 'raw' };
const facts = makeMachineFacts(
  { title: 'Test', osId: 96, osType: 'debian10_64Guest', cpus: 3, firmware: 'efi' },
  { controller: 'lsilogic', diskEnableUuid: false, properties: { A: '1' } },
);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kvmimg-test-'));
  sources = join(folder, 'in');
  await mkdir(sources);
  disk = { path: join(folder, 'disk'), format: 'raw' };
  await writeGptDisk(disk.path, 64 * mebibyte);
  const outputs = formats.map((format) => ({ format, path: join(sources, `disk.${format}`) }));
  await exportImages({ source: disk, outputs, facts });
});
afterAll(() => rm(folder, { recursive: true }));

let outputCount = 0;
const newOutput = (): string => join(folder, 'new', `out-${outputCount++}`);

function convert(source: string, wanted: readonly Format[], more: Partial<ConvertRequest> = {}) {
  return convertImage({ source, formats: wanted, outputDir: newOutput(), force: false, ...more });
}

async function problemsOf(work: Promise<unknown>): Promise<readonly unknown[]> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(InputError);
  return error instanceof InputError ? error.problems : [];
}

describe('convertImage', () => {
  it.each(formats)('makes every format of a %s', async (format) => {
    const made = await convert(join(sources, `disk.${format}`), formats);
    expect(made.map((output) => output.format)).toEqual(formats);
    for (const output of made) {
      const image: DiskImage =
        output.format === 'ova' ? diskOfOva(await readOva(output.path)) : { path: output.path, format: output.format };
      expect(await compareDisks(disk, image)).toEqual({ same: true });
    }
  });

  it('makes an OVA of an OVA with what the first said of its machine', async () => {
    const [made] = await convert(join(sources, 'disk.ova'), ['ova']);
    const { descriptor } = await readOva(made?.path ?? '');
    expect(descriptor).toMatchObject({ osType: 'debian10_64Guest', osId: 96, cpus: 3, firmware: 'efi', title: 'Test' });
    expect(descriptor).toMatchObject({ controllers: ['lsilogic'], properties: { A: '1' }, extraConfig: {} });
  });

  it('says of the machine what the request says, and what is undefined there not', async () => {
    const more = {
      facts: { controller: 'pvscsi', diskEnableUuid: true, hardwareVersion: 19, osType: undefined },
    } as const;
    const [made] = await convert(join(sources, 'disk.ova'), ['ova'], more);
    const { descriptor } = await readOva(made?.path ?? '');
    expect(descriptor).toMatchObject({ controllers: ['VirtualSCSI'], hardwareVersion: 'vmx-19', cpus: 3 });
    expect(descriptor).toMatchObject({ osType: 'debian10_64Guest', extraConfig: { 'disk.EnableUUID': 'TRUE' } });
  });

  it('gives the outputs a name without what an OVA had better not hold', async () => {
    const odd = join(folder, 'my disk (2).img');
    await symlink(disk.path, odd);
    const [made] = await convert(odd, ['vmdk']);
    expect(made?.path).toMatch(/\/my-disk-2-\.vmdk$/);
  });

  it('writes a format once that is asked for twice', async () => {
    expect(await convert(disk.path, ['raw', 'raw'])).toHaveLength(1);
  });

  it('converts an overlay with what it stands on', async () => {
    const overlay = join(folder, 'overlay.qcow2');
    await createDisk({
      path: overlay,
      format: 'qcow2',
      backing: { path: join(sources, 'disk.qcow2'), format: 'qcow2' },
    });
    const [made] = await convert(overlay, ['raw']);
    expect(await compareDisks(disk, { path: made?.path ?? '', format: 'raw' })).toEqual({ same: true });
  });
});

describe('before anything is written', () => {
  it.each(['../disk', 'a/b', '', '.hidden'])('refuses the name %j', async (name) => {
    const problems = await problemsOf(convert(disk.path, ['raw'], { outputDir: newOutput(), name }));
    expect(problems).toMatchObject([{ place: '--name' }]);
  });

  it('tells every problem at once', async () => {
    const outputDir = newOutput();
    await mkdir(outputDir, { recursive: true });
    await writeFile(join(outputDir, 'disk.raw'), 'old');
    await writeFile(join(outputDir, 'disk.ova'), 'old');
    const problems = await problemsOf(convert(join(folder, 'disk.none'), formats, { outputDir, name: 'disk' }));
    expect(problems).toMatchObject([
      { place: join(folder, 'disk.none'), message: expect.stringContaining('does not exist') },
      { place: join(outputDir, 'disk.raw'), message: 'exists already', hint: expect.stringContaining('--force') },
      { place: join(outputDir, 'disk.ova') },
    ]);
    expect(await readdir(outputDir)).toHaveLength(2);
  });

  it('replaces with --force, but never the source or what it stands on', async () => {
    const outputDir = newOutput();
    await mkdir(outputDir, { recursive: true });
    const base = join(outputDir, 'over.raw');
    const overlay = join(outputDir, 'over.qcow2');
    await copyFile(disk.path, base);
    await createDisk({ path: overlay, format: 'qcow2', backing: { path: base, format: 'raw' } });
    await writeFile(join(outputDir, 'over.vmdk'), 'old');
    const link = join(folder, 'over.qcow2');
    await symlink(overlay, link);
    const problems = await problemsOf(convert(link, ['qcow2', 'raw', 'vmdk'], { outputDir, force: true }));
    expect(problems).toMatchObject([
      { place: '--format qcow2', message: `${overlay} is what the image is read from` },
      { place: '--format raw', message: `${base} is what the image is read from` },
    ]);
    expect(await convert(link, ['vmdk'], { outputDir, force: true })).toHaveLength(1);
  });

  it('finds an output folder that is a file', async () => {
    const problems = await problemsOf(convert(disk.path, ['raw'], { outputDir: join(disk.path, 'out') }));
    expect(problems).toMatchObject([{ place: '--output', message: expect.stringContaining('is not a folder') }]);
  });

  it.each([
    ['a recipe', Buffer.from('distro: debian-13\n'), 'it is a text file'],
    ['a compressed image', Buffer.from('\x1f\x8b\x08', 'latin1'), 'it is compressed by gzip'],
    ['nothing', Buffer.alloc(0), 'it is an empty file'],
  ])('says what %s is instead of an image', async (name, content, what) => {
    const path = join(folder, name);
    await writeFile(path, content);
    expect(await problemsOf(convert(path, ['raw']))).toMatchObject([
      { place: path, message: expect.stringContaining(what) },
    ]);
  });

  it('says that a folder is a folder', async () => {
    expect(await problemsOf(convert(folder, ['raw']))).toMatchObject([
      { message: expect.stringContaining('a folder') },
    ]);
  });
});

describe('a damaged source', () => {
  const damage = async (format: Format, change: (path: string, size: number) => Promise<void>): Promise<string> => {
    const path = join(folder, `damaged-${outputCount++}.${format}`);
    await copyFile(join(sources, `disk.${format}`), path);
    await change(path, (await stat(path)).size);
    return path;
  };
  const overwrite = (offset: number, bytes: string) => async (path: string) => {
    const file = await open(path, 'r+');
    await file.write(bytes, offset);
    await file.close();
  };
  const cut = (part: number) => (path: string, size: number) => truncate(path, Math.floor((size * part) / 512) * 512);

  it.each([
    ['a qcow2 that was cut off', 'qcow2', cut(0.5), 'cut off'],
    ['a VMDK that was cut off', 'vmdk', cut(0.5), 'cut off'],
    ['an OVA that was cut off', 'ova', cut(0.5), 'not a whole tar file'],
    [
      'an OVA with a changed disk',
      'ova',
      (path: string, size: number) => overwrite(size - 90_000, 'xx')(path),
      'sha256 of disk.vmdk',
    ],
    ['an OVA with a changed descriptor', 'ova', overwrite(700, 'xx'), 'sha256 of disk.ovf'],
  ] as const)('is refused: %s', async (_, format, change, why) => {
    const path = await damage(format, change);
    const outputDir = newOutput();
    const problems = await problemsOf(convert(path, ['raw', 'qcow2'], { outputDir }));
    expect(problems).toContainEqual(expect.objectContaining({ place: path, message: expect.stringContaining(why) }));
    await expect(readFile(outputDir)).rejects.toThrow('ENOENT');
  });
});
