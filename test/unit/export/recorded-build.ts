import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type InstalledPackage, makeManifest } from '../../../src/build/manifest.ts';
import { findDistro } from '../../../src/distro/catalogue.ts';
import { type BuildRecord, findBuildRecord } from '../../../src/export/build-record.ts';
import { MirrorCounts } from '../../../src/media/mirror-stats.ts';
import { makePlan } from '../../../src/plan/make-plan.ts';
import { completeRecipe } from '../../../src/recipe/complete.ts';
import { recipeSchema } from '../../../src/recipe/schema.ts';
import { lock, makeInputs } from '../plan/plan-inputs.ts';

const file = { format: 'qcow2' as const, sizeBytes: 1, sha256: 'ab', modifiedAt: '', exportedAt: '' };

/** What `convert` reads of a build of Debian 13: planned from the settings, its manifest written and read again. */
export async function recordBuild(
  settings: object = {},
  packages: readonly InstalledPackage[] = [
    { name: 'linux-image-6.12.57+deb13-amd64', version: '6.12.57-1', arch: 'amd64' },
  ],
): Promise<BuildRecord> {
  const distro = await findDistro('debian-13');
  if (distro === undefined) throw new Error('no debian-13');
  const recipe = completeRecipe(
    recipeSchema.parse({ distro: 'debian-13', formats: ['qcow2', 'ova'], ...settings }),
    distro,
  );
  const made = makePlan({ ...makeInputs({}), distro, lock, recipe });
  if ('problems' in made) throw new Error(JSON.stringify(made.problems));
  const { plan } = made;
  const facts = {
    kvmimgVersion: '0.1.0',
    qemuVersion: '7.2.22',
    accel: { kind: 'tcg', reason: 'test' },
    seconds: {},
    mirror: new MirrorCounts().stats(),
    fetchedBytes: 0,
    boots: 3,
    layers: [],
    media: [],
    packages,
  };
  const folder = await mkdtemp(join(tmpdir(), 'kvmimg-test-'));
  try {
    const image = join(folder, `${plan.name}.qcow2`);
    const files = [{ ...file, path: image, layerKey: '', sealId: '' }];
    const manifest = makeManifest(plan, files, facts, new Date());
    await writeFile(join(folder, `${plan.name}.manifest.json`), JSON.stringify(manifest));
    const record = await findBuildRecord(image);
    if (record === undefined) throw new Error('the manifest is not one that is read');
    return record;
  } finally {
    await rm(folder, { recursive: true });
  }
}
