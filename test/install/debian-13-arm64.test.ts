import { mkdtemp, readdir, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { installerLockSchema } from '../../src/distro/schema.ts';
import { findHostMirrors } from '../../src/host/apt-sources.ts';
import { run } from '../../src/process/run.ts';
import { repository } from './watched-run.ts';

const lockPath = join(repository, 'distros/debian-13-arm64.lock.json');

/**
 * Where the udebs of the lock would be that the mirror of this host does not have. One that has them all could be
 * installed from: then this test is to go the whole way, and the lock to lose its `unproven`.
 */
async function findAbsentUdebs(): Promise<readonly string[]> {
  const mirror = (await findHostMirrors())?.main ?? 'http://ftp.debian.org/debian';
  const { udebs } = installerLockSchema.parse(JSON.parse(await readFile(lockPath, 'utf8')));
  const answers = await Promise.all(
    udebs.map(async ({ file }) => {
      const url = `${mirror.replace(/\/$/, '')}/${file.path}`;
      return { url, status: (await fetch(url, { method: 'HEAD' })).status };
    }),
  );
  return answers.filter(({ status }) => status === 404).map(({ url }) => url);
}

/**
 * A kvmimg of its own in this folder: README's first command, in the test beside this one, makes dist/ anew while this
 * one runs. Gives its program.
 */
async function makePackage(root: string): Promise<string> {
  const options = ['-p', join(repository, 'tsconfig.build.json'), '--outDir', join(root, 'dist')];
  await run(join(repository, 'node_modules/.bin/tsc'), options, { okExitCodes: [0, 1, 2] });
  const { files } = JSON.parse(await readFile(join(repository, 'package.json'), 'utf8'));
  const names: readonly string[] = ['package.json', 'node_modules', ...files];
  for (const name of names) if (name !== 'dist') await symlink(join(repository, name), join(root, name));
  return join(root, 'dist/main.js');
}

describe('debian-13 for arm64, emulated, as far as this mirror goes', () => {
  let root = '';
  let cacheDir = '';
  let main = '';

  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'kvmimg-arm64-test-'));
    cacheDir = join(root, 'cache');
    main = await makePackage(root);
  });
  afterAll(() => rm(root, { recursive: true, force: true }));

  it('boots the real installer, is called back by its early command, and names the first udeb that is 404', async () => {
    const absent = await findAbsentUdebs();
    expect(absent.length, 'the mirror has every udeb now: see findAbsentUdebs').toBeGreaterThan(0);
    const startMs = performance.now();
    const args = ['build', 'debian-13', '--arch', 'arm64', '--log-format', 'plain', '-o', join(root, 'out')];
    const { stderr } = await run(process.execPath, [main, ...args], {
      cwd: repository,
      env: { KVMIMG_CACHE_DIR: cacheDir },
      okExitCodes: [1],
    });
    console.info(`arm64 to its first missing udeb: ${Math.round((performance.now() - startMs) / 1000)} s`);
    expect(stderr).toContain('accelerator: tcg (an arm64 guest on an amd64 host must be emulated)');

    const said = /The installer needs its component (\S+), and the mirror does not have it: (\S+) answers 404\./.exec(
      stderr,
    );
    const [, name, url] = said ?? [];
    expect(absent, stderr).toContain(url);
    expect(url?.endsWith(`/${name}`)).toBe(true);

    const [report = ''] = await readdir(join(cacheDir, 'reports'));
    const requests = await readFile(join(cacheDir, 'reports', report, 'requests.log'), 'utf8');
    expect(requests).toMatch(/ GET seed\/preseed\.cfg 200$/m);
    expect(requests).toMatch(/ GET callback\/early 200$/m);
    expect(requests.indexOf('seed/preseed.cfg')).toBeLessThan(requests.indexOf('callback/early'));
    expect(await readdir(join(cacheDir, 'work'))).toEqual([]);
    expect(await readdir(root)).not.toContain('out');
  });
});
