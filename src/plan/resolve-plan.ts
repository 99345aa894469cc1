import { findDistro, findInstallerLock, listDistroIds } from '../distro/catalogue.ts';
import type { Distro } from '../distro/schema.ts';
import { InputError, type Problem } from '../errors.ts';
import { completeRecipe } from '../recipe/complete.ts';
import { type LoadedRecipe, loadRecipe, loadRecipes, type RecipeRequest } from '../recipe/load.ts';
import { distinctProblems } from '../recipe/validate.ts';
import { suggestName } from '../suggestion.ts';
import { makePlan, type PlanOptions } from './make-plan.ts';
import type { Plan } from './plan.ts';
import { readPlanFacts } from './plan-facts.ts';
import { planOutputs } from './planned-outputs.ts';

/**
 * From what the user said to the plans of the builds, one a recipe (or a variant of its matrix): reads recipes, facts of
 * distros and of the host, and changes nothing.
 *
 * @param checksHost whether this host must be able to build it: space, memory, outputs that exist.
 * @throws InputError with everything that is wrong.
 */
export async function resolvePlans(
  requests: readonly RecipeRequest[],
  options: PlanOptions,
  { checksHost }: { readonly checksHost: boolean },
): Promise<Plan[]> {
  const loaded = (await Promise.all(requests.map(loadRecipes))).flat();
  const made = await Promise.all(loaded.map((recipe) => resolveOne(recipe, options, checksHost)));
  const plans = made.flatMap((each) => ('plan' in each ? [each.plan] : []));
  const problems = made.flatMap((each) => ('problems' in each ? each.problems : []));
  const all = [...distinctProblems(problems), ...findSameNames(plans)];
  if (all.length > 0) throw new InputError(all);
  return plans;
}

/** The same for a single build. */
export async function resolvePlan(
  request: RecipeRequest,
  options: PlanOptions,
  { checksHost }: { readonly checksHost: boolean },
): Promise<Plan> {
  const made = await resolveOne(await loadRecipe(request), options, checksHost);
  if ('problems' in made) throw new InputError(made.problems);
  return made.plan;
}

async function resolveOne(
  loaded: LoadedRecipe,
  options: PlanOptions,
  checksHost: boolean,
): Promise<ReturnType<typeof makePlan>> {
  const distro = loaded.distroId === undefined ? undefined : await findDistro(loaded.distroId);
  const problems = [...loaded.problems, ...(await checkDistro(loaded, distro))];
  if (problems.length > 0 || loaded.recipe === undefined || distro === undefined) return { problems };
  const recipe = completeRecipe(loaded.recipe, distro);
  const { outputs, manifestPath } = planOutputs(recipe, options);
  const [lock, facts] = await Promise.all([
    findInstallerLock(distro, recipe.arch),
    readPlanFacts({
      family: distro.family,
      outputDir: options.outputDir,
      cacheDir: options.cacheDir,
      outputPaths: outputs.map((output) => output.path),
      manifestPath,
      mediaDirs: options.mediaDirs,
    }),
  ]);
  return makePlan({ ...loaded, recipe, distro, lock, facts, options, checksHost });
}

function findSameNames(plans: readonly Plan[]): Problem[] {
  const names = plans.map((plan) => plan.name);
  const twice = new Set(names.filter((name, index) => names.indexOf(name) < index));
  return [...twice].map((name) => ({
    place: name,
    message: 'several builds have this name, and would write the same files',
    hint: 'Give each recipe a `name` of its own.',
  }));
}

async function checkDistro(loaded: LoadedRecipe, distro: Distro | undefined): Promise<Problem[]> {
  if (loaded.distroId === undefined || distro !== undefined) return [];
  const hint = suggestName(loaded.distroId, await listDistroIds());
  return [{ place: loaded.placeOf(['distro']), message: `there is no distro ${loaded.distroId}`, hint }];
}
