import { findDistro, findInstallerLock, listDistroIds } from '../distro/catalogue.ts';
import type { Distro } from '../distro/schema.ts';
import { InputError, type Problem } from '../errors.ts';
import { type LoadedRecipe, loadRecipe, type RecipeRequest } from '../recipe/load.ts';
import { suggestName } from '../suggestion.ts';
import { makePlan, type PlanOptions, planOutputs } from './make-plan.ts';
import type { Plan } from './plan.ts';
import { readPlanFacts } from './plan-facts.ts';

/**
 * From what the user said to the plan of the build: reads the recipe, the distro's facts and the host's, and changes
 * nothing.
 *
 * @param checksHost whether this host must be able to build it: space, memory, outputs that exist.
 * @throws InputError with everything that is wrong.
 */
export async function resolvePlan(
  request: RecipeRequest,
  options: PlanOptions,
  { checksHost }: { readonly checksHost: boolean },
): Promise<Plan> {
  const loaded = await loadRecipe(request);
  const distro = loaded.distroId === undefined ? undefined : await findDistro(loaded.distroId);
  const problems = [...loaded.problems, ...(await checkDistro(loaded, distro))];
  const { recipe } = loaded;
  if (problems.length > 0 || recipe === undefined || distro === undefined) throw new InputError(problems);
  const { outputs, manifestPath } = planOutputs(recipe, options.outputDir);
  const [lock, facts] = await Promise.all([
    findInstallerLock(distro, recipe.arch),
    readPlanFacts({
      family: distro.family,
      outputDir: options.outputDir,
      cacheDir: options.cacheDir,
      outputPaths: [...outputs.map((output) => output.path), manifestPath],
    }),
  ]);
  const made = makePlan({ ...loaded, recipe, distro, lock, facts, options, checksHost });
  if ('problems' in made) throw new InputError(made.problems);
  return made.plan;
}

async function checkDistro(loaded: LoadedRecipe, distro: Distro | undefined): Promise<Problem[]> {
  if (loaded.distroId === undefined || distro !== undefined) return [];
  const hint = suggestName(loaded.distroId, await listDistroIds());
  return [{ place: loaded.placeOf(['distro']), message: `there is no distro ${loaded.distroId}`, hint }];
}
