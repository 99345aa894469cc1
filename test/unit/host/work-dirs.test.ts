import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { compileSources } from '../../../fixtures/compile.ts';
import { makeSocketFolder } from '../../../src/host/socket-folder.ts';
import { makeWorkDir, sweepWorkDirs } from '../../../src/host/work-dirs.ts';
import { Scope } from '../../../src/lifecycle/scope.ts';
import { importLine, killHard, readLine, startChild } from './child-program.ts';

let compiled: string;
let root: string;

beforeAll(async () => {
  compiled = await compileSources('work-dirs');
}, 60_000);
afterAll(() => rm(compiled, { recursive: true, force: true }));
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'kvmimg-work-'));
});
afterEach(() => rm(root, { recursive: true, force: true }));

/** Makes a work folder, says its path, and does not end. */
async function startOwner(): Promise<{ child: ChildProcess; path: string }> {
  const child = startChild(
    `${importLine('makeWorkDir', join(compiled, 'host/work-dirs.js'))}
    ${importLine('Scope', join(compiled, 'lifecycle/scope.js'))}
    const dir = await makeWorkDir({ root: process.argv[1], scope: new Scope() });
    console.log(dir.path);
    setTimeout(() => {}, 60_000);`,
    [root],
  );
  return { child, path: await readLine(child) };
}

const entries = (): Promise<string[]> => readdir(join(root, 'work'));

describe('makeWorkDir', () => {
  it('makes a folder for this user alone that says whose it is, and goes with the scope', async () => {
    const scope = new Scope();
    const { path } = await makeWorkDir({ root, scope });
    expect((await stat(path)).mode & 0o777).toBe(0o700);
    expect(JSON.parse(await readFile(join(path, 'owner.json'), 'utf8'))).toMatchObject({ pid: process.pid });
    await mkdir(join(path, 'deep'));
    await scope.close();
    expect(await entries()).toEqual([]);
  });

  it('says what is wrong with the folder', async () => {
    await writeFile(join(root, 'work'), '');
    const scope = new Scope();
    await expect(makeWorkDir({ root, scope })).rejects.toMatchObject({ code: 'work-dir' });
    await scope.close();
  });
});

describe('sweepWorkDirs', () => {
  it('has nothing to do where nothing was ever built', async () => {
    expect(await sweepWorkDirs(root)).toEqual({ removed: [], endedPids: [], failed: [] });
  });

  it('removes the folder of a killed process and no other', async () => {
    const [dead, alive] = [await startOwner(), await startOwner()];
    await killHard(dead.child);
    expect(await sweepWorkDirs(root)).toEqual({ removed: [dead.path], endedPids: [], failed: [] });
    expect((await stat(alive.path)).isDirectory()).toBe(true);
    await killHard(alive.child);
  });

  it('removes the folder of sockets that it has elsewhere, for their paths must be short', async () => {
    const workDir = join(root, 'work', randomBytes(8).toString('hex'));
    const kept = new Scope();
    const [socketDir, other] = await Promise.all(
      [workDir, join(root, 'work', randomBytes(8).toString('hex'))].map((path) =>
        makeSocketFolder(join(path, 'long'.repeat(30)), 10, kept),
      ),
    );
    await mkdir(workDir, { recursive: true });
    const before = Date.now() / 1000 - 61;
    await utimes(workDir, before, before);
    expect(await sweepWorkDirs(root)).toMatchObject({ removed: [workDir], failed: [] });
    await expect(stat(socketDir ?? '')).rejects.toThrow('ENOENT');
    expect((await stat(other ?? '')).isDirectory()).toBe(true);
    await kept.close();
    await expect(stat(other ?? '')).rejects.toThrow('ENOENT');
  });

  it('leaves alone what is being made just now, for a minute', async () => {
    await mkdir(join(root, 'work', '0123456789abcdef.new'), { recursive: true });
    expect((await sweepWorkDirs(root)).removed).toEqual([]);
    expect(await entries()).toEqual(['0123456789abcdef.new']);
    const before = Date.now() / 1000 - 61;
    await utimes(join(root, 'work', '0123456789abcdef.new'), before, before);
    await sweepWorkDirs(root);
    expect(await entries()).toEqual([]);
  });

  it('goes on where an earlier sweep was killed', async () => {
    const { child, path } = await startOwner();
    await killHard(child);
    await mkdir(`${path}.gone-00000000`);
    await copyFile(join(path, 'owner.json'), join(`${path}.gone-00000000`, 'owner.json'));
    await sweepWorkDirs(root);
    expect(await entries()).toEqual([]);
  });

  it('removes at once what somebody was removing, whatever of it is left', async () => {
    await mkdir(join(root, 'work', '0123456789abcdef.gone-00000000', 'deep'), { recursive: true });
    expect(await sweepWorkDirs(root)).toEqual({ removed: [], endedPids: [], failed: [] });
    expect(await entries()).toEqual([]);
  });

  it('does not disturb an owner that removes its folder', async () => {
    const scopes = Array.from({ length: 20 }, () => new Scope());
    for (const scope of scopes) {
      const { path } = await makeWorkDir({ root, scope });
      await mkdir(join(path, 'deep', 'deeper'), { recursive: true });
    }
    const sweeps = Array.from({ length: 10 }, () => sweepWorkDirs(root));
    await Promise.all([...scopes.map((scope) => scope.close()), ...sweeps]);
    expect((await Promise.all(sweeps)).flatMap((sweep) => sweep.failed)).toEqual([]);
    expect(await entries()).toEqual([]);
  });

  it('removes each folder once when many sweep at once', async () => {
    const owners = await Promise.all([startOwner(), startOwner(), startOwner()]);
    await Promise.all(owners.map(({ child }) => killHard(child)));
    const sweeps = await Promise.all(Array.from({ length: 6 }, () => sweepWorkDirs(root)));
    expect(sweeps.flatMap((sweep) => sweep.failed)).toEqual([]);
    expect(await entries()).toEqual([]);
  });

  it('ends a QEMU that uses the folder, but not a pager that shows it', async () => {
    const { child, path } = await startOwner();
    await symlink('/bin/sh', join(root, 'qemu-system-x86_64'));
    const start = (program: string) => spawn(program, ['-c', 'read x', join(path, 'disk.qcow2')], { stdio: 'pipe' });
    const [qemu, pager] = [start(join(root, 'qemu-system-x86_64')), start('/bin/sh')];
    const ended = once(qemu, 'exit');
    expect((await sweepWorkDirs(root)).endedPids).toEqual([]);
    await killHard(child);
    expect(await sweepWorkDirs(root)).toEqual({ removed: [path], endedPids: [qemu.pid], failed: [] });
    expect(await ended).toEqual([null, 'SIGKILL']);
    expect(pager.exitCode).toBe(null);
    pager.kill('SIGKILL');
  });
});
