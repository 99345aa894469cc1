import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { messageOf, type Problem, systemErrorCode } from '../errors.ts';
import { parseRecipeDocument, type RecipeDocument } from './document.ts';
import { applyOverrides, type Override, parseSet } from './overrides.ts';
import { findValue, formatPath, isWithin, type Path } from './path.ts';
import type { Recipe } from './schema.ts';
import { readSources, type SourceFile } from './sources.ts';
import { toProblems, validateRecipe } from './validate.ts';

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
}

export interface LoadedRecipe {
  /** Undefined when there are problems. */
  readonly recipe: Recipe | undefined;
  readonly problems: readonly Problem[];
  /** What the recipe builds, known even where the rest is wrong, so that its name is checked along with the rest. */
  readonly distroId: string | undefined;
  readonly sources: readonly SourceFile[];
  /** Where a setting was said: file and line, flag, or just its path when it has its default. */
  readonly placeOf: (path: Path) => string;
}

/** Whether a subject is the path of a recipe file; anything else is the name of a distro. */
export function isRecipePath(subject: string): boolean {
  return /\.(ya?ml|json)$/.test(subject) || subject.includes('/');
}

/**
 * Reads a recipe from a file or a bare distro name, puts flags and `--set` over it, and checks it. What is wrong is in
 * `problems`, all of it; the only throws are bugs.
 */
export async function loadRecipe(request: RecipeRequest): Promise<LoadedRecipe> {
  const base = await readBase(request);
  if ('problems' in base) return nothingLoaded(base.problems);
  const parsedSets = (request.sets ?? []).map(parseSet);
  const overrides = [
    ...parsedSets.flatMap((parsed) => ('override' in parsed ? [parsed.override] : [])),
    ...(request.flags ?? []),
  ];
  const { data, problems } = applyOverrides(base.data, overrides);
  const placeOf = (path: Path, at?: 'key' | 'value'): string =>
    overrides.findLast((override) => isWithin(path, override.path))?.place ?? base.placeOf(path, at);
  const checked = validateRecipe(data);
  const { sources, issues } = await readSources(data, base.dir);
  const allProblems = [
    ...parsedSets.flatMap((parsed) => ('problem' in parsed ? [parsed.problem] : [])),
    ...problems,
    ...toProblems([...('issues' in checked ? checked.issues : []), ...issues], placeOf),
  ];
  const distroId = findValue(data, ['distro']);
  return {
    recipe: 'recipe' in checked && allProblems.length === 0 ? checked.recipe : undefined,
    problems: allProblems,
    distroId: typeof distroId === 'string' ? distroId : undefined,
    sources,
    placeOf,
  };
}

interface Base extends RecipeDocument {
  readonly dir: string;
}

async function readBase(request: RecipeRequest): Promise<Base | { readonly problems: readonly Problem[] }> {
  const { subject, cwd } = request;
  if (!isRecipePath(subject)) {
    const placeOf = (path: Path): string => (formatPath(path) === 'distro' ? subject : formatPath(path));
    return { data: { distro: subject }, placeOf, dir: cwd };
  }
  const path = resolve(cwd, subject);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    const message =
      systemErrorCode(error) === 'ENOENT' ? 'there is no such file' : `cannot be read: ${messageOf(error)}`;
    return { problems: [{ place: subject, message }] };
  }
  const parsed = parseRecipeDocument(text, subject);
  return 'problems' in parsed ? parsed : { ...parsed.document, dir: dirname(path) };
}

function nothingLoaded(problems: readonly Problem[]): LoadedRecipe {
  return { recipe: undefined, problems, distroId: undefined, sources: [], placeOf: formatPath };
}
