import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { allOrAbort } from '../../../src/export/all-or-abort.ts';
import { findBuildRecord, imageStem, machineFactsOfBuild } from '../../../src/export/build-record.ts';
import { commitFile, describeWriteFailure, flushFile, makePartial } from '../../../src/export/partial-file.ts';
import { makeOwnerTag } from '../../../src/host/owner-tag.ts';
import { withScope } from '../../../src/lifecycle/scope.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kvmimg-test-'));
});
afterEach(() => rm(folder, { recursive: true }));

describe('a partial file', () => {
  it('becomes the file by a rename', async () => {
    const path = join(folder, 'a.raw');
    await withScope(async (scope) => {
      const partialPath = await makePartial(path, scope);
      await writeFile(partialPath, 'done');
      await flushFile(partialPath);
      await commitFile(partialPath, path);
    });
    expect(await readdir(folder)).toEqual(['a.raw']);
    expect(await readFile(path, 'utf8')).toBe('done');
  });

  it('is gone after a failure, and what was there before stays', async () => {
    const path = join(folder, 'a.raw');
    await writeFile(path, 'old');
    const work = withScope(async (scope) => {
      await writeFile(await makePartial(path, scope), 'half');
      throw new Error('stop');
    });
    await expect(work).rejects.toThrow('stop');
    expect(await readdir(folder)).toEqual(['a.raw']);
    expect(await readFile(path, 'utf8')).toBe('old');
  });

  it('is not that of another who writes the same file', async () => {
    const path = join(folder, 'a.raw');
    await writeFile(`${path}.partial`, "the user's own");
    await withScope(async (scope) => {
      const mine = await makePartial(path, scope);
      await writeFile(mine, 'mine');
      await withScope(async (other) => {
        await writeFile(await makePartial(path, other), 'another');
      });
      expect(await readFile(mine, 'utf8')).toBe('mine');
    });
    expect(await readdir(folder)).toEqual(['a.raw.partial']);
  });

  it('of a dead process is removed by who writes the same file next', async () => {
    const path = join(folder, 'a.raw');
    const tag = await makeOwnerTag();
    const dead = tag.replace(/-\d+-.*/, `-${2 ** 22 + 1}-long%20ago`);
    const elsewhere = dead.replace(/^[^-]+/, '00000000');
    const names = [dead, elsewhere, tag].map((owner) => `a.raw.${owner}.0123abcd.partial`);
    for (const name of [...names, `b.raw.${dead}.0123abcd.partial`]) await writeFile(join(folder, name), '');
    await withScope((scope) => makePartial(path, scope));
    const [, ...kept] = names;
    expect(await readdir(folder)).toEqual([...kept, `b.raw.${dead}.0123abcd.partial`].sort());
  });
});

describe('a partial file of another host', () => {
  it('is removed when nobody has written to it for a day', async () => {
    const path = join(folder, 'a.raw');
    const elsewhere = (await makeOwnerTag()).replace(/^[^-]+/, '00000000');
    const [old, fresh] = ['00000001', '00000002'].map((id) => `a.raw.${elsewhere}.${id}.partial`) as [string, string];
    for (const name of [old, fresh]) await writeFile(join(folder, name), '');
    const yesterday = new Date(Date.now() - 25 * 60 * 60_000);
    await utimes(join(folder, old), yesterday, yesterday);
    await withScope((scope) => makePartial(path, scope));
    expect(await readdir(folder)).toEqual([fresh]);
  });
});

describe('describeWriteFailure', () => {
  it.each([
    ['ENOSPC', 'no-space'],
    ['EDQUOT', 'no-space'],
    ['EFBIG', 'no-space'],
    ['EACCES', 'write-permission'],
    ['EROFS', 'write-permission'],
  ])('tells %s as %s', (systemCode, code) => {
    const described = describeWriteFailure(Object.assign(new Error('x'), { code: systemCode }), '/out/a.raw');
    expect(described).toMatchObject({ code, message: expect.stringContaining('/out/a.raw') });
  });
});

describe('allOrAbort', () => {
  /** Ends when it is aborted, a moment later, as a program does. */
  const untilAborted = (signal: AbortSignal, onEnd: () => void): Promise<never> =>
    new Promise((_, reject) => {
      signal.addEventListener('abort', () =>
        setImmediate(() => {
          onEnd();
          reject(signal.reason);
        }),
      );
    });

  it('throws the first failure after the others have ended', async () => {
    let ended = false;
    const work = allOrAbort(undefined, (signal) => [
      untilAborted(signal, () => {
        ended = true;
      }),
      Promise.reject(new Error('first')),
    ]);
    await expect(work).rejects.toThrow('first');
    expect(ended).toBe(true);
  });

  it('throws the reason of an abort from outside', async () => {
    const controller = new AbortController();
    const work = allOrAbort(controller.signal, (signal) => [untilAborted(signal, () => {})]);
    controller.abort(new Error('Ctrl-C'));
    await expect(work).rejects.toThrow('Ctrl-C');
  });

  it('gives the results in order', async () => {
    expect(await allOrAbort(undefined, () => [Promise.resolve(1), Promise.resolve(2)])).toEqual([1, 2]);
  });
});

describe('findBuildRecord', () => {
  const record = {
    manifestVersion: 1,
    name: 'debian-13',
    distro: 'debian-13',
    kvmimgVersion: '0.1.0',
    createdAt: '2026-11-23T00:00:00.000Z',
    files: [{ format: 'qcow2', file: 'debian-13.qcow2', sizeBytes: 1, sha256: 'ab' }],
    packages: [{ name: 'bash', version: '5', arch: 'amd64' }],
    plan: {
      recipe: { name: 'debian-13', arch: 'amd64', cpus: 4, memory: 2 ** 30, firmware: 'uefi' },
      distro: {
        id: 'debian-13',
        title: 'Debian 13 (trixie)',
        release: '13',
        ovf: { id: 96, osType: 'debian10_64Guest', hardwareVersion: 15 },
      },
    },
  };

  it('reads the manifest beside the image', async () => {
    await writeFile(join(folder, 'debian-13.manifest.json'), JSON.stringify(record));
    const found = await findBuildRecord(join(folder, 'debian-13.qcow2'));
    expect(found?.packages).toHaveLength(1);
    expect(found && machineFactsOfBuild(found)).toMatchObject({
      osId: 96,
      cpus: 4,
      firmware: 'efi',
      productVersion: '13',
      // Of a build before these could be set.
      controller: 'pvscsi',
      diskEnableUuid: true,
    });
  });

  it.each([
    ['no manifest', undefined],
    ['no JSON', '{'],
    ['other JSON', '{"files": 3}'],
    ['a manifest of other files', JSON.stringify({ ...record, files: [] })],
  ])('gives undefined for %s', async (_, text) => {
    if (text !== undefined) await writeFile(join(folder, 'debian-13.manifest.json'), text);
    expect(await findBuildRecord(join(folder, 'debian-13.qcow2'))).toBeUndefined();
  });

  it.each([
    ['out/debian-13.qcow2', 'debian-13'],
    ['a.b.OVA', 'a.b'],
    ['disk', 'disk'],
  ])('takes the stem of %s', (path, stem) => {
    expect(imageStem(path)).toBe(stem);
  });
});
