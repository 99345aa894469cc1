import { chmod, mkdir, mkdtemp, open, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { mebibyte, noise } from '../../fixtures/disks/gpt-disk.ts';
import { exportImages } from '../../src/export/export-images.ts';
import { makeMachineFacts } from '../../src/export/machine-facts.ts';
import { Scope } from '../../src/lifecycle/scope.ts';
import { run } from '../../src/process/run.ts';
import { type Format, formats } from '../../src/recipe/schema.ts';

const facts = makeMachineFacts();
let scope = new Scope();
let folder = '';
const out = (): string => join(folder, 'out');
const source = () => ({ path: join(folder, 'disk'), format: 'raw' as const });

beforeEach(async () => {
  scope = new Scope();
  folder = await mkdtemp(join(tmpdir(), 'kvmimg-test-'));
  scope.defer('remove the folder', () => rm(folder, { recursive: true }));
  await mkdir(out());
});
afterEach(() => scope.close());

/** A disk with that much data that does not compress. */
async function writeDisk(noiseMebibytes: number): Promise<void> {
  const file = await open(source().path, 'w');
  await file.truncate(64 * mebibyte);
  await file.write(noise(noiseMebibytes * mebibyte, 5), 0, noiseMebibytes * mebibyte, 0);
  await file.close();
}

function exportAs(wanted: readonly Format[], signal?: AbortSignal, onProgress?: () => void): Promise<unknown> {
  const outputs = wanted.map((format) => ({ format, path: join(out(), `a.${format}`) }));
  return exportImages(
    { source: source(), outputs, facts },
    { ...(signal ? { signal } : {}), ...(onProgress ? { onProgress } : {}) },
  );
}

/**
 * Makes `out` as small as that: a tmpfs where this user may mount one, a limit on the files of qemu-img elsewhere. Gives
 * the code that the failure must have (the VMDK driver hides what a limit says).
 */
async function limitSpace(limitMebibytes: number): Promise<unknown> {
  const mounted = await run('mount', ['-t', 'tmpfs', '-o', `size=${limitMebibytes}m`, 'kvmimg-test', out()]).catch(
    () => undefined,
  );
  if (mounted) {
    scope.defer('unmount', async () => {
      await run('umount', [out()]);
    });
    return 'no-space';
  }
  const { stdout: realProgram } = await run('sh', ['-c', 'command -v qemu-img']);
  const wrapper = join(folder, 'bin', 'qemu-img');
  await mkdir(join(folder, 'bin'));
  // ulimit counts blocks of 512 bytes in a POSIX shell.
  const script = `#!/bin/sh\ntrap '' XFSZ\nulimit -f ${limitMebibytes * 1024}\nexec ${realProgram.trim()} "$@"\n`;
  await writeFile(wrapper, script);
  await chmod(wrapper, 0o755);
  const path = process.env.PATH;
  process.env.PATH = `${join(folder, 'bin')}:${path}`;
  scope.defer('put the PATH back', () => {
    process.env.PATH = path;
  });
  return expect.stringMatching(/^(no-space|write-failed)$/);
}

describe('a full device', () => {
  it.each(formats)('ends the export as %s with a sentence and leaves nothing', async (format) => {
    await writeDisk(4);
    const code = await limitSpace(2);
    await expect(exportAs([format])).rejects.toMatchObject({
      code,
      message: expect.stringContaining(out()),
      hint: expect.stringMatching(/folder|device/),
    });
    expect(await readdir(out())).toEqual([]);
  });

  it('ends the other formats as well, so that none appears', async () => {
    await writeDisk(4);
    const code = await limitSpace(3);
    await expect(exportAs(formats)).rejects.toMatchObject({ code });
    expect(await readdir(out())).toEqual([]);
  });
});

describe('an abort', () => {
  it('ends every format at once and leaves nothing', async () => {
    await writeDisk(48);
    const controller = new AbortController();
    const reason = new Error('Ctrl-C');
    const work = exportAs(formats, controller.signal, () => controller.abort(reason));
    await expect(work).rejects.toBe(reason);
    expect(await readdir(out())).toEqual([]);
  });

  it('before the start starts nothing', async () => {
    await writeDisk(1);
    await expect(exportAs(formats, AbortSignal.abort(new Error('before')))).rejects.toThrow('before');
    expect(await readdir(out())).toEqual([]);
  });

  it('leaves an older file of the same name as it was', async () => {
    await writeDisk(16);
    await writeFile(join(out(), 'a.vmdk'), 'old');
    const controller = new AbortController();
    const work = exportAs(['vmdk'], controller.signal, () => controller.abort(new Error('Ctrl-C')));
    await expect(work).rejects.toThrow('Ctrl-C');
    expect(await readdir(out())).toEqual(['a.vmdk']);
  });
});

describe('a source that cannot be read', () => {
  it('is named, and nothing is left', async () => {
    await writeFile(source().path, 'QFI');
    const outputs = [{ format: 'raw' as const, path: join(out(), 'a.raw') }];
    const work = exportImages({ source: { ...source(), format: 'qcow2' }, outputs, facts });
    await expect(work).rejects.toMatchObject({ code: 'not-an-image', message: expect.stringContaining(source().path) });
    expect(await readdir(out())).toEqual([]);
  });
});
