import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openIsoBoot } from '../../../src/media/iso-boot.ts';
import { file, folder, makeIsoImage } from './iso/iso-writer.ts';
import { failureOf, type MediaFixture, makeMediaFixture } from './media-fixture.ts';

const wanted = { kernel: '/casper/vmlinuz', initrd: '/casper/initrd', volumeId: 'Ubuntu-Server 24.04.4 LTS amd64' };

let fixture: MediaFixture;
let isoPath: string;
let workDir: string;
beforeEach(async () => {
  fixture = await makeMediaFixture();
  isoPath = join(fixture.dir, 'server.iso');
  workDir = join(fixture.dir, 'work');
  await mkdir(workDir);
  const casper = folder({ vmlinuz: file('a kernel'), initrd: file('an initrd') });
  await writeFile(isoPath, makeIsoImage({ casper }, 'rock-ridge').bytes);
});
afterEach(() => fixture.scope.close());

const open = (files: Parameters<typeof openIsoBoot>[1], path = isoPath) =>
  openIsoBoot(path, files, { workDir, signal: fixture.signal });

describe('openIsoBoot', () => {
  it('takes kernel and initrd out of the ISO and gives its volume id', async () => {
    const { kernelPath, initrdPath, volumeId } = await open(wanted);
    expect(await readFile(kernelPath, 'utf8')).toBe('a kernel');
    expect(await readFile(initrdPath, 'utf8')).toBe('an initrd');
    expect(volumeId).toBe('TINY');
  });

  it('names the ISO, what is not on it, and both volume ids', async () => {
    const error = await failureOf(open({ ...wanted, kernel: '/images/pxeboot/vmlinuz' }));
    expect(error.code).toBe('iso-content');
    expect(error.message).toBe(
      `${isoPath} has no /images/pxeboot/vmlinuz. Its volume is "TINY"; "Ubuntu-Server 24.04.4 LTS amd64" was expected.`,
    );
    expect(error.hint).toContain('another release');
    expect(await readdir(workDir)).toEqual([]);
  });

  it('names everything that is missing, and no volume id that nobody knows', async () => {
    const error = await failureOf(open({ kernel: '/linux', initrd: '/casper' }));
    expect(error.message).toBe(`${isoPath} has no /linux and no /casper. Its volume is "TINY".`);
  });

  it('refuses what is no ISO', async () => {
    await writeFile(isoPath, 'no ISO');
    expect(await failureOf(open(wanted))).toMatchObject({ code: 'bad-iso', message: expect.stringContaining(isoPath) });
  });

  it('ends with the reason when aborted', async () => {
    fixture.abort(new Error('enough'));
    await expect(open(wanted)).rejects.toThrow('enough');
    expect(await readdir(workDir)).toEqual([]);
  });
});
