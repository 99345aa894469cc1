import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { listDistroIds, loadDistros } from '../../src/distro/catalogue.ts';
import { run } from '../../src/process/run.ts';

const main = join(import.meta.dirname, '../../dist/main.js');
const ids = await listDistroIds();

/** Runs kvmimg where there is no network, not even the loopback. */
async function kvmimg(...args: readonly string[]): Promise<string> {
  const words = ['--map-root-user', '--net', process.execPath, main, ...args];
  return (await run('unshare', words, { env: { KVMIMG_CACHE_DIR: cacheDir } })).stdout;
}

let cacheDir: string;
beforeAll(async () => {
  cacheDir = await mkdtemp(join(tmpdir(), 'kvmimg-no-network-'));
});
afterAll(() => rm(cacheDir, { recursive: true }));

describe('without a network', () => {
  it.each(ids)('%s is planned, and its answer file is shown', async (id) => {
    expect(JSON.parse(await kvmimg('plan', id, '--json', '--force'))).toMatchObject({ plan: { distro: { id } } });
    expect((await kvmimg('render', id)).length).toBeGreaterThan(500);
  });

  it('every other architecture is planned, too', async () => {
    for (const { id, arches } of await loadDistros()) {
      for (const arch of arches.filter((each) => each !== 'amd64')) {
        expect(await kvmimg('plan', id, '--arch', arch, '--json', '--force')).toContain(`"arch": "${arch}"`);
      }
    }
  });
});
