import { execFile, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { packageRoot } from '../../src/package-root.ts';

// The built program, as users start it; `npm test` builds it first.
const main = join(packageRoot, 'dist', 'main.js');
const home = mkdtempSync(join(tmpdir(), 'kvmimg-home-'));
afterAll(() => rmSync(home, { recursive: true }));
const options = { cwd: home, env: { PATH: process.env.PATH, HOME: home } };
const execute = promisify(execFile);

/** Processor time of the quickest of several runs: what the program takes on a machine that does nothing else. */
async function leastCpuMs(args: readonly string[]): Promise<number> {
  const times: number[] = [];
  for (let round = 0; round < 5; round++) {
    const script = '"$0" "$@" >/dev/null; times';
    const { stdout } = await execute('/bin/sh', ['-c', script, process.execPath, main, ...args], options);
    // The second line of `times` is the children's user and system time: `0m0.180000s 0m0.020000s`.
    const children = [...(stdout.split('\n')[1] ?? '').matchAll(/(\d+)m([\d.]+)s/g)];
    times.push(children.reduce((sum, [, minutes, seconds]) => sum + Number(minutes) * 60e3 + Number(seconds) * 1e3, 0));
  }
  return Math.min(...times);
}

describe('the program', () => {
  it('prints its help in 200 ms', async () => {
    expect(await leastCpuMs(['--version'])).toBeGreaterThan(20);
    expect(await leastCpuMs(['--help'])).toBeLessThan(200);
  });

  it('prints a plan in 300 ms, and leaves nothing on the disk', async () => {
    expect(await leastCpuMs(['plan', 'debian-13', '--json'])).toBeLessThan(300);
    expect(readdirSync(home)).toEqual([]);
  });

  it('takes it quietly when nobody reads on', async () => {
    const child = spawn(
      '/bin/sh',
      ['-c', '"$0" "$1" plan debian-13 --json | head -n 1', process.execPath, main],
      options,
    );
    let text = '';
    child.stdout.on('data', (chunk) => {
      text += chunk;
    });
    child.stderr.on('data', (chunk) => {
      text += chunk;
    });
    await new Promise((resolve) => child.on('close', resolve));
    expect(text).toBe('{\n');
  });

  it.each([
    [['plan', 'debain-13'], 2, 'error: debain-13: there is no distro debain-13. Did you mean debian-13?\n'],
    [['frobnicate'], 2, "error: unknown command 'frobnicate'\n(kvmimg --help tells more)\n"],
  ])('%j ends with exit status %i', async (args, code, stderr) => {
    await expect(execute(process.execPath, [main, ...args], options)).rejects.toMatchObject({
      code,
      stderr,
      stdout: '',
    });
  });

  it.each([
    ['KVMIMG_DISTROS_DIR', ['distros'], 2, 'error: KVMIMG_DISTROS_DIR: nowhere cannot be read: ENOENT'],
    ['KVMIMG_TEMPLATES_DIR', ['render', 'debian-13'], 2, 'nowhere has none of the folders'],
    [
      'http_proxy',
      ['lock', 'debian-13', '--mirror', 'http://127.0.0.1:9/d'],
      1,
      'The proxy in http_proxy or https_proxy',
    ],
  ])('tells of a %s that is of no use', async (name, args, code, stderr) => {
    const env = { ...options.env, [name]: 'nowhere' };
    await expect(execute(process.execPath, [main, ...args], { ...options, env })).rejects.toMatchObject({
      code,
      stderr: expect.stringContaining(stderr),
    });
  });
});
