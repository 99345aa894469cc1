import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, open, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Iso, openIso } from '../../src/media/iso/iso.ts';
import { run } from '../../src/process/run.ts';

const { signal } = new AbortController();
const deepPath = 'a/b/c/d/e/f/g/h/i/j/k/l';
const longName = `${'name-of-200-characters-'.repeat(9).slice(0, 196)}.txt`;
const largeBytes = 2 ** 32 + 2 ** 26 + 123;
// xorriso takes an absolute path below /dev for a drive: it gets relative ones.
let dir: string;

beforeAll(async () => {
  // In memory where that can be: the holes of a sparse file cost nothing there.
  dir = await mkdtemp(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'kvmimg-iso-'));
  await writeTree({
    'casper/vmlinuz': 'kernel '.repeat(10_000),
    'casper/initrd': 'initrd '.repeat(20_000),
    'casper/empty': '',
    [`${deepPath}/deep.txt`]: 'deep',
    [`long/${longName}`]: 'long',
    ...Object.fromEntries(Array.from({ length: 300 }, (_, index) => [`many/file-number-${index}.txt`, `${index}`])),
  });
});
afterAll(() => rm(dir, { recursive: true, force: true }));

async function writeTree(files: Readonly<Record<string, string>>): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(join(dir, 'tree', dirname(path)), { recursive: true });
    await writeFile(join(dir, 'tree', path), content);
  }
}

/** Every file that our reader finds, extracted. */
async function extractAll(iso: Iso, target: string, path = ''): Promise<void> {
  await mkdir(join(target, path), { recursive: true });
  for (const entry of await iso.list(path)) {
    if (entry.kind === 'folder') await extractAll(iso, target, entry.path);
    if (entry.kind === 'file') await iso.extract(entry, join(target, entry.path), { signal });
  }
}

/** The files below a folder by path, as text. */
async function readTree(folder: string): Promise<Readonly<Record<string, string>>> {
  const paths = (await readdir(folder, { recursive: true })).sort();
  const files: Record<string, string> = {};
  for (const path of paths) {
    if ((await stat(join(folder, path))).isFile()) files[path] = await readFile(join(folder, path), 'latin1');
  }
  return files;
}

/** Data at its begin, around the border of 4 GiB, and at its end. */
async function writeSparse(path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const file = await open(path, 'w');
  try {
    for (const offsetBytes of [0, 2 ** 32 - 2 ** 20, largeBytes - 2 ** 21]) {
      await file.write(randomBytes(2 ** 21), 0, 2 ** 21, offsetBytes);
    }
  } finally {
    await file.close();
  }
}

function mkisofs(isoPath: string, ...options: readonly string[]): readonly string[] {
  return ['-as', 'mkisofs', '-quiet', '-V', 'KVMIMG_TEST', ...options, '-o', isoPath];
}

/** How it is made, a path that only the right kind of names has, and bytes that only such an ISO has. */
const isos: readonly (readonly [title: string, args: readonly string[], path: string, mark: string])[] = [
  ['Rock Ridge', [...mkisofs('test.iso', '-r'), 'tree'], `${deepPath}/deep.txt`, 'RRIP_1991A'],
  ['Rock Ridge and Joliet', [...mkisofs('test.iso', '-r', '-J'), 'tree'], `long/${longName}`, '%/E'],
  [
    'folders below the eighth level relocated',
    [
      ...['-outdev', 'test.iso', '-volid', 'KVMIMG_TEST', '-compliance', 'deep_paths_off', '-rr_reloc_dir', 'rr_moved'],
      ...['-map', 'tree', '/', '-commit'],
    ],
    `${deepPath}/deep.txt`,
    'CL\x0c\x01',
  ],
  ['Joliet', [...mkisofs('test.iso', '--norock', '-J', '-joliet-long'), 'tree'], 'many/file-number-299.txt', '%/E'],
  ['plain names', [...mkisofs('test.iso', '--norock'), 'tree'], 'casper/Vmlinuz', 'VMLINUZ.;1'],
  [
    'plain names of 31',
    [...mkisofs('test.iso', '--norock', '-iso-level', '3', '-l'), 'tree'],
    'casper/initrd',
    'FILE_NUMBER_299.TXT;1',
  ],
];

describe('an ISO made by xorriso', () => {
  it.each(isos)('is read as xorriso reads it: %s', async (_title, args, path, mark) => {
    for (const name of ['test.iso', 'ours', 'theirs']) await rm(join(dir, name), { recursive: true, force: true });
    await run('xorriso', args, { cwd: dir });
    expect((await readFile(join(dir, 'test.iso'))).includes(mark)).toBe(true);
    await run('xorriso', ['-osirrox', 'on', '-indev', 'test.iso', '-extract', '/', 'theirs'], { cwd: dir });
    const iso = await openIso(join(dir, 'test.iso'));
    try {
      expect(iso.volumeId).toBe('KVMIMG_TEST');
      expect(await iso.find(path)).toMatchObject({ kind: 'file' });
      await extractAll(iso, join(dir, 'ours'));
    } finally {
      await iso.close();
    }
    const ours = await readTree(join(dir, 'ours'));
    expect(ours).toEqual(await readTree(join(dir, 'theirs')));
    expect(Object.values(ours).sort()).toEqual(Object.values(await readTree(join(dir, 'tree'))).sort());
  });

  it('gives a file above 4 GiB', async () => {
    await writeSparse(join(dir, 'large', 'large.img'));
    // Through a pipe: xorriso itself would write the zeros out.
    const make = `xorriso ${mkisofs('-', '-r', '-iso-level', '3').join(' ')} large`;
    await run('sh', ['-c', `${make} | dd conv=sparse bs=1M iflag=fullblock of=large.iso`], { cwd: dir });
    const iso = await openIso(join(dir, 'large.iso'));
    try {
      const entry = await iso.find('large.img');
      expect(entry).toMatchObject({ kind: 'file', sizeBytes: largeBytes });
      expect(entry?.extents).toHaveLength(2);
      if (entry) await iso.extract(entry, join(dir, 'ours.img'), { signal });
    } finally {
      await iso.close();
    }
    await run('cmp', ['large/large.img', 'ours.img'], { cwd: dir });
    const theirs = 'xorriso -osirrox on -indev large.iso -concat append - /large.img --';
    await run('sh', ['-c', `${theirs} | cmp - ours.img`], { cwd: dir });
  });
});
