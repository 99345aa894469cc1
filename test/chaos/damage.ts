import { chmod, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { FakeSite } from '../fake/fake-site.ts';
import { pause } from './moment.ts';
import type { Random } from './random.ts';

/** What can happen to a cache and to an output folder while nobody builds. */
const weights = {
  'torn record': 3,
  'emptied record': 2,
  'truncated disk': 4,
  'layer without a part': 3,
  'layer gone': 1,
  'torn manifest': 2,
  'truncated image': 1,
  'killed prune': 4,
} as const;

/** Does one of them; says in words what was done. */
export async function damageSomething(site: FakeSite, random: Random): Promise<string> {
  const kind = random.weighted(weights);
  switch (kind) {
    case 'torn manifest':
      return `${kind}: ${await tear(join(site.outDir, 'web.manifest.json'), random)}`;
    case 'truncated image':
      return `${kind}: ${await tear(join(site.outDir, 'web.raw'), random)}`;
    case 'killed prune':
      return `${kind}: ${await killPrune(site, random)}`;
  }
  const layers = await listLayers(site);
  if (layers.length === 0) return 'no layer to damage';
  const folder = random.pick(layers);
  switch (kind) {
    case 'torn record':
      return `${kind}: ${await tear(join(folder, 'layer.json'), random)}`;
    case 'emptied record':
      await writeFile(join(folder, 'layer.json'), '');
      return `${kind}: ${folder}`;
    case 'truncated disk':
      return `${kind}: ${await tear(join(folder, 'disk.qcow2'), random)}`;
    case 'layer without a part': {
      const part = random.pick((await readdir(folder)).sort());
      await rm(join(folder, part), { force: true });
      return `${kind}: ${join(folder, part)}`;
    }
    case 'layer gone':
      await rm(folder, { recursive: true });
      return `${kind}: ${folder}`;
  }
}

/** Folders of the store, in an order that goes by what they are and not by their random names. */
async function listLayers({ cacheDir }: FakeSite): Promise<string[]> {
  const root = join(cacheDir, 'layers');
  const found: { readonly folder: string; readonly createdAt: string }[] = [];
  for (const key of await readdir(root).catch(() => [])) {
    for (const id of await readdir(join(root, key))) {
      const text = await readFile(join(root, key, id, 'layer.json'), 'utf8').catch(() => '');
      found.push({ folder: join(root, key, id), createdAt: /"createdAt": "(.*?)"/.exec(text)?.[1] ?? '' });
    }
  }
  return found.sort((one, other) => (one.createdAt < other.createdAt ? -1 : 1)).map(({ folder }) => folder);
}

/** Cuts a file off at a random byte; says what was done. */
export async function tear(path: string, random: Random): Promise<string> {
  const length = (await stat(path).catch(() => undefined))?.size;
  const fraction = random.fraction();
  if (length === undefined) return `${path} was not there`;
  const kept = Math.floor(length * fraction);
  await chmod(path, 0o644);
  await truncate(path, kept);
  return `${path}, ${kept} of ${length} bytes kept`;
}

/** Starts `kvmimg cache prune` and kills it, mostly while it removes layers. */
async function killPrune(site: FakeSite, random: Random): Promise<string> {
  const rule = random.chance(0.2) ? ['--all'] : ['--max-size', `${1 + random.below(6)}MiB`];
  const lifeMs = 60 + random.below(340);
  const prune = site.run(['cache', 'prune', ...rule]);
  const signal = random.pick(['SIGKILL', 'SIGKILL', 'SIGTERM'] as const);
  await Promise.race([prune.ended, pause(lifeMs, undefined)]);
  prune.child.kill(signal);
  const { exitCode } = await prune.ended;
  return `prune ${rule.join(' ')}, ${signal} after ${lifeMs} ms, exit code ${exitCode}`;
}
