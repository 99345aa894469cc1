import { relative } from 'node:path';
import type { Problem } from '../errors.ts';
import type { RecipeDocument } from './document.ts';
import { applyOverrides } from './overrides.ts';
import { select } from './rules.ts';
import { namesFile, resolveFile, sourcePatterns } from './sources.ts';

/** A recipe as its file says it, and the folder that its paths are relative to. */
export interface RecipeSource extends RecipeDocument {
  readonly dir: string;
}

export type ReadResult = RecipeSource | { readonly problems: readonly Problem[] };

/** A chain this long is a mistake. */
const depthLimit = 10;

/** Whether the `base` of a recipe is another recipe; anything else is a disk image. */
export function isRecipeFile(path: string): boolean {
  return /\.(ya?ml|json)$/.test(path);
}

/**
 * Puts a recipe over its base recipe, and that over its own: `users` and `provision` go after those of the base, every
 * other setting over the base's. The layers that the base alone would have are then those of this recipe too.
 *
 * @param read reads the file of a recipe, and what it stands on.
 */
export async function joinBase(
  recipe: RecipeSource,
  read: (path: string, dir: string) => Promise<ReadResult>,
  depth = 0,
): Promise<ReadResult> {
  const { base: named, ...own } = recipe.data;
  if (typeof named !== 'string' || !isRecipeFile(named)) return recipe;
  const place = recipe.placeOf(['base']);
  if (depth >= depthLimit)
    return { problems: [{ place, message: 'stands on itself, or on too long a chain of bases' }] };
  const found = await read(named, recipe.dir);
  if ('problems' in found) {
    const of = found.problems.map((problem) =>
      problem.place === named ? { ...problem, place, message: `${named}: ${problem.message}` } : problem,
    );
    return { problems: of };
  }
  const base = await joinBase(found, read, depth + 1);
  if ('problems' in base) return base;
  const obstacle = findObstacle(base, recipe);
  return obstacle ? { problems: [obstacle] } : merge(base, { ...recipe, data: own });
}

function findObstacle(base: RecipeSource, recipe: RecipeSource): Problem | undefined {
  if (base.data.matrix !== undefined) {
    return { place: base.placeOf(['matrix'], 'key'), message: 'a recipe that others stand on cannot have a matrix' };
  }
  if (recipe.data.name !== undefined) return undefined;
  const hint = 'Without it both would write the same files.';
  return { place: recipe.placeOf(['base']), message: 'a recipe on a base must have a name of its own', hint };
}

const added = ['users', 'provision'];

function merge(base: RecipeSource, recipe: RecipeSource): RecipeSource {
  const counts = new Map(added.map((name) => [name, listOf(base.data[name]).length]));
  const joined = added.flatMap((name) => {
    const items = [...listOf(withSourcesFor(base, recipe.dir)[name]), ...listOf(recipe.data[name])];
    const isAbsent = base.data[name] === undefined && recipe.data[name] === undefined;
    // What is no list is left for the schema to complain of.
    const isList = [base.data[name], recipe.data[name]].every((value) => value === undefined || Array.isArray(value));
    return isAbsent ? [] : [[name, isList ? items : (recipe.data[name] ?? base.data[name])] as const];
  });
  const data = { ...overlay(withSourcesFor(base, recipe.dir), recipe.data), ...Object.fromEntries(joined) };
  const placeOf: RecipeDocument['placeOf'] = (path, at) => {
    const [setting = '', index, ...rest] = path;
    const ofBase = counts.get(String(setting));
    if (ofBase !== undefined && typeof index === 'number') {
      return index < ofBase ? base.placeOf(path, at) : recipe.placeOf([setting, index - ofBase, ...rest], at);
    }
    return recipe.data[setting] === undefined && base.data[setting] !== undefined
      ? base.placeOf(path, at)
      : recipe.placeOf(path, at);
  };
  return { data, placeOf, dir: recipe.dir };
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** Maps such as `disk` and `limits` setting by setting. */
function overlay(
  base: Readonly<Record<string, unknown>>,
  own: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  const isMap = (value: unknown): value is object =>
    typeof value === 'object' && value !== null && !Array.isArray(value);
  const entries = Object.entries(own).map(([name, value]) => {
    const below = base[name];
    return [name, isMap(value) && isMap(below) ? { ...below, ...value } : value] as const;
  });
  return { ...base, ...Object.fromEntries(entries) };
}

/** The data of a recipe whose `source` files are named as from another folder. */
function withSourcesFor({ data, dir }: RecipeSource, from: string): Readonly<Record<string, unknown>> {
  const renamed = sourcePatterns
    .flatMap((pattern) => select(data, pattern))
    .flatMap(({ path, value }) => {
      const file = namesFile(value) ? resolveFile(dir, value) : undefined;
      return file === undefined ? [] : [{ path, value: relative(from, file), place: '' }];
    });
  return applyOverrides(data, renamed).data as Readonly<Record<string, unknown>>;
}
