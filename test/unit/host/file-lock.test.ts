import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { compileSources } from '../../../fixtures/compile.ts';
import { sweepLocks, withFileLock } from '../../../src/host/file-lock.ts';
import { importLine, killHard, readLine, startChild } from './child-program.ts';

const { signal } = new AbortController();
let compiled: string;
let dir: string;
let path: string;

beforeAll(async () => {
  compiled = await compileSources('file-lock');
}, 60_000);
afterAll(() => rm(compiled, { recursive: true, force: true }));
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'kvmimg-lock-'));
  path = join(dir, 'store.lock');
});
afterEach(() => rm(dir, { recursive: true, force: true }));

/** Takes the lock, says so, and holds it until it is killed. */
function startHolder() {
  return startChild(
    `${importLine('withFileLock', join(compiled, 'host/file-lock.js'))}
    await withFileLock(process.argv[1], { signal: new AbortController().signal }, async () => {
      console.log('held');
      await new Promise((resolve) => setTimeout(resolve, 60_000));
    });`,
    [path],
  );
}

/** Goes through the lock `rounds` times; in the critical section a file must be ours alone, and a counter is raised. */
function startContender(rounds: number) {
  return startChild(
    `${importLine('withFileLock', join(compiled, 'host/file-lock.js'))}
    import { readFile, rm, writeFile } from 'node:fs/promises';
    const [, path, dir, rounds] = process.argv;
    for (let round = 0; round < Number(rounds); round++) {
      await withFileLock(path, { signal: new AbortController().signal, intervalMs: 5 }, async () => {
        await writeFile(dir + '/inside', '', { flag: 'wx' });
        const count = Number(await readFile(dir + '/count', 'utf8'));
        await new Promise((resolve) => setTimeout(resolve, 5));
        await writeFile(dir + '/count', String(count + 1));
        await rm(dir + '/inside');
      });
    }`,
    [path, dir, String(rounds)],
  );
}

async function runContenders(processes: number, rounds: number): Promise<void> {
  await writeFile(join(dir, 'count'), '0');
  const children = Array.from({ length: processes }, () => startContender(rounds));
  const exits = await Promise.all(children.map((child) => once(child, 'exit')));
  expect(exits.map(([code]) => code)).toEqual(children.map(() => 0));
  expect(await readFile(join(dir, 'count'), 'utf8')).toBe(String(processes * rounds));
  expect(await readdir(dir)).toEqual(['count']);
}

describe('withFileLock', () => {
  it('gives the result of the work and leaves nothing behind', async () => {
    expect(await withFileLock(path, { signal }, async () => readdir(dir))).toEqual(['store.lock']);
    expect(await readdir(dir)).toEqual([]);
  });

  it('is released when the work fails, with its error', async () => {
    await expect(withFileLock(path, { signal }, () => Promise.reject(new Error('boom')))).rejects.toThrow('boom');
    expect(await readdir(dir)).toEqual([]);
  });

  it('keeps tasks of one process apart, and says who holds it', async () => {
    const holders: string[] = [];
    let inside = 0;
    const task = () =>
      withFileLock(path, { signal, onWait: (holder) => holders.push(holder) }, async () => {
        expect(++inside).toBe(1);
        await new Promise((resolve) => setTimeout(resolve, 20));
        inside--;
      });
    await Promise.all([task(), task(), task()]);
    expect(holders.length).toBeGreaterThan(0);
    expect(new Set(holders)).toEqual(new Set([`process ${process.pid}`]));
  });

  it('keeps ten processes apart', () => runContenders(10, 4), 60_000);

  it('is taken over from a killed holder, by one of ten at a time', async () => {
    const holder = startHolder();
    expect(await readLine(holder)).toBe('held');
    await killHard(holder);
    expect(await readdir(dir)).toEqual(['store.lock']);
    await runContenders(10, 2);
  }, 60_000);

  it('is taken over by one of many tasks at a time, whichever way they interleave', async () => {
    for (let round = 0; round < 20; round++) {
      const token = String(round).padStart(16, '0');
      await writeFile(path, JSON.stringify({ pid: 2 ** 22 + 1, startTime: 'long ago', hostName: hostname(), token }));
      let inside = 0;
      const most: number[] = [];
      const task = () =>
        withFileLock(path, { signal, intervalMs: 1 }, async () => {
          most.push(++inside);
          await new Promise((resolve) => setImmediate(resolve));
          inside--;
        });
      await Promise.all(Array.from({ length: 8 }, task));
      expect(most).toEqual(Array.from({ length: 8 }, () => 1));
      expect(await readdir(dir)).toEqual([]);
    }
  }, 60_000);

  it('is taken over though the one that took it over was killed in the act', async () => {
    const dead = { pid: 2 ** 22 + 1, startTime: 'long ago', hostName: hostname() };
    const [first, second] = ['1'.repeat(16), '2'.repeat(16)];
    await writeFile(path, JSON.stringify({ ...dead, token: first }));
    await writeFile(`${path}.${first}`, JSON.stringify({ ...dead, token: second }));
    await writeFile(`${path}.${second}.draft`, JSON.stringify({ ...dead, token: second }));
    await runContenders(4, 1);
  }, 60_000);

  it('is taken over when a power failure left it empty, once it is a minute old', async () => {
    await writeFile(path, '');
    const wait = { signal, limitMs: 150 };
    await expect(withFileLock(path, wait, async () => {})).rejects.toMatchObject({ code: 'wait-limit' });
    const before = Date.now() / 1000 - 61;
    await utimes(path, before, before);
    expect(await withFileLock(path, wait, async () => 'mine')).toBe('mine');
    expect(await readdir(dir)).toEqual([]);
  });

  it('leaves the lock of another host alone for a day', async () => {
    const token = '3'.repeat(16);
    await writeFile(path, JSON.stringify({ pid: 1, startTime: 'x', hostName: 'elsewhere', token }));
    await expect(withFileLock(path, { signal, limitMs: 150 }, async () => {})).rejects.toMatchObject({
      code: 'wait-limit',
      evidence: [{ title: 'Held by', lines: ['process 1 on elsewhere'] }],
    });
    const before = Date.now() / 1000 - 25 * 3600;
    await utimes(path, before, before);
    expect(await withFileLock(path, { signal, limitMs: 150 }, async () => 'mine')).toBe('mine');
  });

  it('leaves the lock of another container with the same name of the host alone', async () => {
    const elsewhere = { pid: 2 ** 22 + 1, startTime: 'x', hostName: hostname(), pidNamespace: 'pid:[1]' };
    await writeFile(path, JSON.stringify({ ...elsewhere, token: '4'.repeat(16) }));
    await expect(withFileLock(path, { signal, limitMs: 150 }, async () => {})).rejects.toMatchObject({
      evidence: [{ title: 'Held by', lines: [`process ${2 ** 22 + 1} of another container`] }],
    });
    const before = Date.now() / 1000 - 25 * 3600;
    await utimes(path, before, before);
    expect(await withFileLock(path, { signal, limitMs: 150 }, async () => 'mine')).toBe('mine');
  });

  it('stops waiting when aborted, and leaves no draft', async () => {
    const holder = startHolder();
    await readLine(holder);
    const controller = new AbortController();
    const onWait = (): void => controller.abort(new Error('Ctrl-C'));
    await expect(withFileLock(path, { signal: controller.signal, onWait }, async () => {})).rejects.toThrow('Ctrl-C');
    expect(await readdir(dir)).toEqual(['store.lock']);
    await killHard(holder);
  });

  it('says where a lock file cannot be written', async () => {
    await writeFile(join(dir, 'file'), '');
    await expect(withFileLock(join(dir, 'file', 'lock'), { signal }, async () => {})).rejects.toMatchObject({
      code: 'lock-failed',
      message: expect.stringContaining(join(dir, 'file')),
    });
  });
});

describe('sweepLocks', () => {
  const dead = { pid: 2 ** 22 + 1, startTime: 'long ago', hostName: hostname() };
  const write = (name: string, token: string): Promise<void> =>
    writeFile(join(dir, name), JSON.stringify({ ...dead, token: token.repeat(16) }));

  it('has nothing to do where there are no locks', () => sweepLocks(join(dir, 'none')));

  it('removes what killed processes left, though nobody asks for these locks again', async () => {
    await write('a.lock', '1');
    await write(`a.lock.${'1'.repeat(16)}`, '2');
    await write(`b.lock.${'3'.repeat(16)}.draft`, '3');
    await writeFile(join(dir, 'other'), '');
    await sweepLocks(dir);
    expect(await readdir(dir)).toEqual(['other']);
  });

  it('leaves alone what is held, and drafts that are being written', async () => {
    const holder = startHolder();
    await readLine(holder);
    const draft = `c.lock.${'4'.repeat(16)}.draft`;
    await writeFile(join(dir, draft), '');
    await sweepLocks(dir);
    expect((await readdir(dir)).sort()).toEqual([draft, 'store.lock']);
    await killHard(holder);
    await sweepLocks(dir);
    expect(await readdir(dir)).toEqual([draft]);
  });
});
