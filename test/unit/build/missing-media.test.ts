import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findMissingMedia } from '../../../src/build/missing-media.ts';
import { openMirrorEntries } from '../../../src/media/mirror-entries.ts';
import { makePlan } from '../../../src/plan/make-plan.ts';
import type { Plan } from '../../../src/plan/plan.ts';
import { lock, makeInputs } from '../plan/plan-inputs.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kvmimg-missing-'));
});
afterEach(() => rm(folder, { recursive: true }));

function planOf(options: { readonly offline: boolean; readonly media?: Plan['media'] }): Plan {
  const made = makePlan(makeInputs({ options: { offline: options.offline } }));
  if ('problems' in made) throw new Error(JSON.stringify(made.problems));
  const { media = made.plan.media } = options;
  return { ...made.plan, media, cacheDir: join(folder, 'cache'), mediaDirs: [join(folder, 'media')] };
}

async function put(path: string, content = 'x'): Promise<void> {
  await mkdir(dirname(join(folder, path)), { recursive: true });
  await writeFile(join(folder, path), content);
}

const saveIndex = (name: string) =>
  openMirrorEntries(join(folder, 'cache')).save({
    ...{ url: `http://public.example.org/${name}/InRelease`, sha256: 'a', sizeBytes: 1, verified: false },
  });

describe('Debian offline', () => {
  it('lacks everything at first, and nothing online', async () => {
    expect(await findMissingMedia(planOf({ offline: true }))).toEqual([
      'a and 1 more files of the installer are not in the cache nor in a --media folder, and --offline forbids to fetch them: build once without --offline.',
      'The cache has nothing of the mirror yet (debian/dists/testy/InRelease, debian-security/dists/testy-security/InRelease), and --offline forbids to ask it: build once without --offline.',
    ]);
    expect(await findMissingMedia(planOf({ offline: false }))).toEqual([]);
  });

  it('lacks nothing of what the cache and the folders have, the package of the netboot image for one', async () => {
    await put(`cache/media/${lock.kernel.sha256}`);
    await put('media/netboot/initrd.gz');
    await put('media/pool/d');
    await saveIndex('debian/dists/testy');
    await saveIndex('debian-security/dists/testy-security');
    expect(await findMissingMedia(planOf({ offline: true }))).toEqual([]);
  });

  it('lacks a file of another length', async () => {
    await put(`cache/media/${lock.kernel.sha256}`);
    await put('media/initrd.gz');
    await put('media/d', 'longer');
    expect((await findMissingMedia(planOf({ offline: true })))[0]).toMatch(/^d is not in the cache/);
  });
});

describe('an ISO', () => {
  const boot = { fileName: 'a.iso', kernel: '/k', initrd: '/i' };
  const vendors: Plan['media'] = { kind: 'iso', iso: { ...boot, urls: [] } };
  const anybodys: Plan['media'] = { kind: 'iso', iso: { ...boot, urls: ['http://public.example.org/a.iso'] } };

  it('that only customers get must be in a folder', async () => {
    const missing = ['a.iso is in no --media folder; name it with --iso.'];
    expect(await findMissingMedia(planOf({ offline: false, media: vendors }))).toEqual(missing);
    await put('media/a.iso');
    expect(await findMissingMedia(planOf({ offline: false, media: vendors }))).toEqual([]);
  });

  it('that everybody gets must be there offline', async () => {
    expect(await findMissingMedia(planOf({ offline: false, media: anybodys }))).toEqual([]);
    expect(await findMissingMedia(planOf({ offline: true, media: anybodys }))).toEqual([
      'a.iso is in no --media folder and not in the cache, and --offline forbids to fetch it: name it with --iso, or build once without --offline.',
    ]);
  });
});

describe('a tree offline', () => {
  const media = { kind: 'tree', path: '9/os' } as const;

  it.each(['cache/media-locks/testian-1-amd64.treeinfo', 'media/9/os/.treeinfo', 'media/treeinfo'])(
    'is known by %s',
    async (path) => {
      expect(await findMissingMedia(planOf({ offline: true, media }))).toHaveLength(1);
      await put(path);
      expect(await findMissingMedia(planOf({ offline: true, media }))).toEqual([]);
    },
  );
});
