import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadDistros } from '../../src/distro/catalogue.ts';
import { run } from '../../src/process/run.ts';

const main = join(import.meta.dirname, '../../dist/main.js');
const distros = await loadDistros();
const images = distros.flatMap(({ id, arches }) => arches.map((arch) => [id, arch] as const));

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
  it('there are distros to plan, most of them for two architectures', () => {
    expect(distros.length).toBeGreaterThan(15);
    expect(images.filter(([, arch]) => arch === 'arm64').length).toBeGreaterThan(15);
  });

  it.each(images)('%s for %s is planned, and its answer file is shown', async (id, arch) => {
    const { plan } = JSON.parse(await kvmimg('plan', id, '--arch', arch, '--json', '--force'));
    expect(plan).toMatchObject({ distro: { id }, recipe: { arch } });
    expect((await kvmimg('render', id, '--arch', arch)).length).toBeGreaterThan(500);
  });
});
