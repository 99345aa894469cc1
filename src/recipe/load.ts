import { readFile, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { messageOf, type Problem, systemErrorCode } from '../errors.ts';
import { joinBase, type ReadResult, type RecipeSource } from './base.ts';
import { parseRecipeDocument, type RecipeDocument } from './document.ts';
import {
  type Axis,
  checkName,
  findAxes,
  findSameNames,
  findSource,
  makeOverrides,
  makeVariants,
  nameVariant,
  type Variant,
} from './matrix.ts';
import { applyOverrides, findPlace, type Override, parseSet } from './overrides.ts';
import { findValue, formatPath, type Path } from './path.ts';
import { type RecipeSettings, recipeFields } from './schema.ts';
import { type DigestFile, decodeText, digestFile, readSources, type SourceFile } from './sources.ts';
import { distinctProblems, toProblems, validateRecipe } from './validate.ts';
import { imageName } from './values.ts';

/** What the user says on the command line about the recipe. */
export interface RecipeRequest {
  /** A distro's name or the path of a recipe file. */
  readonly subject: string;
  /** Flags that are settings, in the order of their weight. */
  readonly flags?: readonly Override[];
  /** Arguments of `--set`. */
  readonly sets?: readonly string[];
  /** Folder that paths on the command line are relative to. */
  readonly cwd: string;
  /** How files that the recipe names are read, when not from their first byte to the last. */
  readonly digestFile?: DigestFile;
}

export interface LoadedRecipe {
  /** Undefined when there are problems, with this recipe or with another one of its matrix. */
  readonly recipe: RecipeSettings | undefined;
  readonly problems: readonly Problem[];
  /** What the recipe builds, known even where the rest is wrong, so that its name is checked along with the rest. */
  readonly distroId: string | undefined;
  /** A file that has the name which was taken for that of a distro: `./recipe`. */
  readonly namesake?: string | undefined;
  /** Which files it writes, where that is right and told, whatever is wrong with the rest. */
  readonly files: (Pick<RecipeSettings, 'formats'> & { readonly name: string }) | undefined;
  readonly sources: readonly SourceFile[];
  /** Where a setting was said: file and line, flag, or just its path when it has its default. */
  readonly placeOf: (path: Path) => string;
}

/** Whether a subject is the path of a recipe file; anything else is the name of a distro. */
export function isRecipePath(subject: string): boolean {
  return /\.(ya?ml|json)$/.test(subject) || subject.includes('/');
}

/**
 * Reads a recipe from a file or a bare distro name, puts flags and `--set` over it, and checks it: one recipe, or one
 * for every combination of its matrix, each with a name of its own. What is wrong is in `problems`, each problem with
 * the first recipe that has it; where anything is, no recipe is given at all. The only throws are bugs.
 */
export async function loadRecipes(request: RecipeRequest): Promise<readonly LoadedRecipe[]> {
  return (await loadVariants(request)).recipes;
}

/** The same for what takes one recipe; that a matrix makes several is then a problem. */
export async function loadRecipe(request: RecipeRequest): Promise<LoadedRecipe> {
  const { recipes, axes, placeOf } = await loadVariants(request);
  const [first, ...others] = recipes;
  if (first && others.length === 0) return first;
  const choices = axes.map(({ path }) => `--set ${formatPath(path)}=...`).join(' ');
  const tooMany = {
    place: placeOf(['matrix'], 'key'),
    message: `makes ${recipes.length} images, and this command takes one`,
    hint: `Choose by ${choices}; \`kvmimg build\` builds them all.`,
  };
  return { ...nothingLoaded([tooMany, ...recipes.flatMap(({ problems }) => problems)]), placeOf };
}

interface Loaded {
  readonly recipes: readonly LoadedRecipe[];
  readonly axes: readonly Axis[];
  readonly placeOf: PlaceOf;
}

async function loadVariants(request: RecipeRequest): Promise<Loaded> {
  const base = await readBase(request);
  if ('problems' in base) return { recipes: [nothingLoaded(base.problems)], axes: [], placeOf: formatPath };
  const parsedSets = (request.sets ?? []).map(parseSet);
  const overrides = [
    ...parsedSets.flatMap((parsed) => ('override' in parsed ? [parsed.override] : [])),
    ...(request.flags ?? []),
  ];
  const { matrix, problems, ...said } = separateMatrix(base, overrides);
  const found = findAxes(matrix, said.overrides);
  const { variants, issues } = makeVariants(found);
  const loaded: LoadedVariant[] = [];
  // One after the other, for each reads the files that its steps name.
  for (const variant of variants) loaded.push(await loadVariant(said, variant, request.digestFile ?? digestFile));
  const commonProblems = [
    ...parsedSets.flatMap((parsed) => ('problem' in parsed ? [parsed.problem] : [])),
    ...problems,
    ...toProblems([...issues, ...findSameNames(loaded)], said.placeOf),
  ];
  const namesake = await findNamesake(request);
  const recipes = shareProblems(
    commonProblems,
    loaded.map((one) => ({ ...one.loaded, namesake })),
  );
  return { recipes, axes: found.axes, placeOf: said.placeOf };
}

type PlaceOf = RecipeDocument['placeOf'];

/** What file and command line say of every variant. */
interface Said extends RecipeSource {
  readonly overrides: readonly Override[];
}

/** The matrix is no setting of an image; the command line can change it like any other. */
function separateMatrix(
  base: RecipeSource,
  overrides: readonly Override[],
): Said & { readonly matrix: unknown; readonly problems: readonly Problem[] } {
  const isOfMatrix = ({ path }: Override): boolean => path[0] === 'matrix';
  const { data, problems } = applyOverrides(base.data, overrides.filter(isOfMatrix));
  const placeOf: PlaceOf = (path, at) => findPlace(overrides, path) ?? base.placeOf(path, at);
  return {
    dir: base.dir,
    data: Object.fromEntries(Object.entries(base.data).filter(([name]) => name !== 'matrix')),
    placeOf,
    overrides: overrides.filter((override) => !isOfMatrix(override)),
    matrix: findValue(data, ['matrix']),
    problems,
  };
}

interface LoadedVariant {
  readonly variant: Variant;
  /** Of the image. */
  readonly name: string;
  readonly loaded: LoadedRecipe;
}

async function loadVariant(said: Said, variant: Variant, digest: DigestFile): Promise<LoadedVariant> {
  const { data, problems } = applyOverrides(said.data, [...makeOverrides(variant, said.placeOf), ...said.overrides]);
  const placeOf: PlaceOf = (path, at) =>
    findPlace(said.overrides, path) ?? said.placeOf(findSource({ data: said.data, variant, path, at }), at);
  const checked = validateRecipe(data);
  const { sources, issues } = await readSources(data, said.dir, digest);
  const name = nameVariant(data, variant);
  const allProblems = [
    ...problems,
    ...toProblems([...('issues' in checked ? checked.issues : []), ...issues, ...checkName(name, variant)], placeOf),
  ];
  const distroId = findValue(data, ['distro']);
  const loaded: LoadedRecipe = {
    recipe: 'recipe' in checked && allProblems.length === 0 ? { ...checked.recipe, name } : undefined,
    problems: allProblems,
    distroId: typeof distroId === 'string' ? distroId : undefined,
    files: distroId === undefined ? undefined : findFiles(name, findValue(data, ['formats'])),
    sources,
    placeOf,
  };
  return { variant, name, loaded };
}

function findFiles(name: string, said: unknown): LoadedRecipe['files'] {
  const [named, formats] = [imageName.safeParse(name), recipeFields.shape.formats.safeParse(said)];
  return named.success && formats.success ? { name: named.data, formats: formats.data } : undefined;
}

/** Leaves each problem with the first recipe that has it, and what is wrong with the request with the first of all. */
function shareProblems(common: readonly Problem[], loaded: readonly LoadedRecipe[]): readonly LoadedRecipe[] {
  const all = distinctProblems([...common, ...loaded.flatMap(({ problems }) => problems)]);
  if (all.length === 0) return loaded;
  return loaded.map((one, index) => ({
    ...one,
    recipe: undefined,
    problems: [...(index === 0 ? common : []), ...one.problems].filter((problem) => all.includes(problem)),
  }));
}

function readBase({ subject, cwd }: RecipeRequest): Promise<ReadResult> {
  if (isRecipePath(subject)) return readRecipeFile(subject, cwd);
  const placeOf = (path: Path): string => (formatPath(path) === 'distro' ? subject : formatPath(path));
  return Promise.resolve({ data: { distro: subject }, placeOf, dir: cwd });
}

async function findNamesake({ subject, cwd }: RecipeRequest): Promise<string | undefined> {
  if (isRecipePath(subject)) return undefined;
  const found = await stat(resolve(cwd, subject)).catch(() => undefined);
  return found?.isFile() ? `./${subject}` : undefined;
}

/** A recipe file with everything that it stands on; `name` is what places call it. */
async function readRecipeFile(name: string, dir: string): Promise<ReadResult> {
  const one = await readOneFile(name, dir);
  return 'problems' in one ? one : joinBase(one, readOneFile);
}

async function readOneFile(name: string, dir: string): Promise<ReadResult> {
  const path = resolve(dir, name);
  let text: string | undefined;
  try {
    text = decodeText(await readFile(path));
  } catch (error) {
    const message =
      systemErrorCode(error) === 'ENOENT' ? 'there is no such file' : `cannot be read: ${messageOf(error)}`;
    return { problems: [{ place: name, message }] };
  }
  if (text === undefined) return { problems: [{ place: name, message: 'is not UTF-8 text' }] };
  const parsed = parseRecipeDocument(text, name);
  return 'problems' in parsed ? parsed : { ...parsed.document, dir: dirname(path) };
}

function nothingLoaded(problems: readonly Problem[]): LoadedRecipe {
  return { recipe: undefined, problems, distroId: undefined, files: undefined, sources: [], placeOf: formatPath };
}
