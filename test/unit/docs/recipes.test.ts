import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PlanOptions } from '../../../src/plan/make-plan.ts';
import { resolvePlans } from '../../../src/plan/resolve-plan.ts';
import { findWarnings } from '../../../src/plan/warnings.ts';
import { publicKey } from '../public-key.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const pages = [
  'README.md',
  ...(await readdir(join(root, 'docs'))).filter((name) => name.endsWith('.md')).map((name) => `docs/${name}`),
];

/** Every recipe of a page: what is marked as YAML. */
async function readRecipes(page: string): Promise<readonly (readonly [title: string, text: string])[]> {
  const text = await readFile(join(root, page), 'utf8');
  return [...text.matchAll(/^```yaml\n(.*?)^```$/gms)].map(([, recipe = ''], index) => [
    `${page}, recipe ${index + 1}`,
    recipe,
  ]);
}

const recipes = (await Promise.all(pages.map(readRecipes))).flat();

let cwd: string;
beforeAll(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'kvmimg-recipes-'));
  // Files that a page tells to put beside its recipe.
  for (const name of ['kubernetes.asc', 'debian-archive-trixie-automatic.asc'])
    await writeFile(join(cwd, name), publicKey);
});
afterAll(() => rm(cwd, { recursive: true }));

describe('the recipes of the pages can be built as they are printed', () => {
  it('are found', () => {
    const places = recipes.map(([title]) => title.replace(/, .*/, ''));
    expect(new Set(places)).toEqual(
      new Set(['README.md', 'docs/recipe.md', 'docs/offline.md', 'docs/kubernetes.md', 'docs/bare-metal.md']),
    );
  });

  it.each(recipes)('%s', async (_, text) => {
    await writeFile(join(cwd, 'node.yaml'), text);
    const options: PlanOptions = {
      ...{ accel: 'tcg', outputDir: join(cwd, 'out'), cacheDir: join(cwd, 'cache'), mediaDirs: [], force: false },
      ...{ keepOnFailure: false, cache: 'use', phases: {}, offline: false },
    };
    const plans = await resolvePlans([{ subject: 'node.yaml', cwd }], options, { checksHost: false });
    expect(plans).not.toEqual([]);
    expect(plans.flatMap(findWarnings)).toEqual([]);
  });
});
