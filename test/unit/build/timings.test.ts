import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadTimings, type TimedBuild } from '../../../src/build/timings.ts';
import type { Format } from '../../../src/recipe/schema.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'kvmimg-timings-'));
  await mkdir(join(dir, 'work'));
});
afterEach(() => rm(dir, { recursive: true }));

interface Variation {
  readonly name?: string;
  readonly distro?: string;
  readonly accel?: TimedBuild['accel'];
  readonly base?: string;
  readonly formats?: readonly Format[];
}

function build({ name = 'web', distro = 'debian-13', accel = 'kvm', base, formats = ['raw'] }: Variation): TimedBuild {
  return {
    plan: {
      name,
      cacheDir: dir,
      distro: { id: distro },
      recipe: { arch: 'amd64', base },
      media: { kind: 'tree', path: 'os' },
      outputs: formats.map((format) => ({ format, path: `/out/${name}.${format}` })),
    },
    accel,
    workDir: join(dir, 'work'),
  };
}

const worked = ['install', 'provision', 'seal', 'export'] as const;
const seconds = { install: 900, provision: 300, seal: 20, export: 60 };

const record = async (variation: Variation): Promise<void> =>
  (await loadTimings(build(variation))).record(seconds, worked);

/** What another build expects of these phases, when it works at all of them. */
async function expected(variation: Variation): Promise<readonly (number | undefined)[]> {
  const timings = await loadTimings(build(variation));
  return worked.map((phase) => timings.estimateSeconds(phase, ['install', 'provision']));
}

describe('the seconds of earlier builds', () => {
  it.each<[string, Variation, readonly (number | undefined)[]]>([
    ['the same', {}, [900, 300, 20, 60]],
    ['another recipe, whose steps are others', { name: 'db' }, [900, undefined, 20, undefined]],
    ['other formats', { formats: ['raw', 'ova'] }, [900, 300, 20, undefined]],
    ['a base image, on which no installer runs', { base: 'base.qcow2' }, [undefined, 300, 20, 60]],
    ['emulation', { accel: 'tcg' }, [undefined, undefined, undefined, 60]],
    ['another distro', { distro: 'debian-12' }, [undefined, undefined, undefined, undefined]],
  ])('are expected of %s', async (_, variation, estimates) => {
    await record({});
    expect(await expected(variation)).toEqual(estimates);
  });

  it('tell a seal that has to boot first from one that goes on after the provisioning', async () => {
    await record({});
    const timings = await loadTimings(build({}));
    expect(timings.estimateSeconds('seal', ['install'])).toBeUndefined();
    await timings.record({ seal: 80 }, ['seal']);
    const later = await loadTimings(build({}));
    expect([later.estimateSeconds('seal', []), later.estimateSeconds('seal', ['provision'])]).toEqual([80, 20]);
  });

  it('are of a list of formats, in whatever order', async () => {
    await record({ formats: ['raw', 'ova'] });
    expect(await expected({ formats: ['ova', 'raw'] })).toEqual([900, 300, 20, 60]);
  });

  it('stay beside those of other builds, and give way to newer ones', async () => {
    await record({ name: 'db' });
    await (await loadTimings(build({}))).record({ install: 700 }, ['install']);
    expect(await expected({ name: 'db' })).toEqual([700, 300, 20, 60]);
  });

  it.each([
    ['damaged', '{"install": {'],
    ['of an earlier version', '{"debian-13 kvm": {"provision": 5}}'],
  ])('count as none in a file that is %s, which is written anew', async (_, content) => {
    await writeFile(join(dir, 'timings.json'), content);
    expect(await expected({})).toEqual([undefined, undefined, undefined, undefined]);
    await record({});
    expect(Object.keys(JSON.parse(await readFile(join(dir, 'timings.json'), 'utf8')))).toEqual([...worked]);
  });
});
