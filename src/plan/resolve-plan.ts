import { findDistro, findInstallerLock, listDistroIds } from '../distro/catalogue.ts';
import type { Distro } from '../distro/schema.ts';
import { InputError, type Problem } from '../errors.ts';
import { completeRecipe } from '../recipe/complete.ts';
import { type LoadedRecipe, loadRecipe, loadRecipes, type RecipeRequest } from '../recipe/load.ts';
import { distinctProblems } from '../recipe/validate.ts';
import { suggestName } from '../suggestion.ts';
import { netbootOnly } from './heeded-rules.ts';
import { makePlan, type PlanOptions } from './make-plan.ts';
import type { Plan } from './plan.ts';
import { type PlaceFactsRequest, readPlaceFacts, readPlanFacts } from './plan-facts.ts';
import { checkPlaces } from './plan-rules.ts';
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
  const problems = [...withMediaOfFamily(loaded, distro), ...(await checkDistro(loaded, distro))];
  if (problems.length > 0 || loaded.recipe === undefined || distro === undefined) {
    return { problems: [...problems, ...(await findPlaceProblems(loaded, options, checksHost))] };
  }
  const recipe = completeRecipe(loaded.recipe, distro);
  const [lock, facts] = await Promise.all([
    findInstallerLock(distro, recipe.arch),
    readPlanFacts(distro.family, placesOf(planOutputs(recipe, options), options)),
  ]);
  return makePlan({ ...loaded, recipe, distro, lock, facts, options, checksHost });
}

/** What is wrong with the folders and files of a build is wrong whatever its recipe will say when it is put right. */
async function findPlaceProblems(
  { files }: LoadedRecipe,
  options: PlanOptions,
  checksHost: boolean,
): Promise<readonly Problem[]> {
  const planned = files && planOutputs(files, options);
  const facts = await readPlaceFacts(placesOf(planned, options));
  return checkPlaces({ facts, options, planned, checksHost });
}

function placesOf(planned: ReturnType<typeof planOutputs> | undefined, options: PlanOptions): PlaceFactsRequest {
  const { outputDir, cacheDir, mediaDirs } = options;
  const outputPaths = planned?.outputs.map((output) => output.path) ?? [];
  return { ...{ outputDir, cacheDir, mediaDirs, outputPaths }, manifestPath: planned?.manifestPath };
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

/** Whether the file of an ISO is there is beside the point for a family that is not installed from one. */
function withMediaOfFamily({ problems, placeOf }: LoadedRecipe, distro: Distro | undefined): readonly Problem[] {
  if (distro?.family !== 'debian') return problems;
  const place = placeOf(['installer', 'iso']);
  return problems.map((problem) => (problem.place === place ? { place, message: netbootOnly(distro) } : problem));
}

async function checkDistro(loaded: LoadedRecipe, distro: Distro | undefined): Promise<Problem[]> {
  if (loaded.distroId === undefined || distro !== undefined) return [];
  const { namesake } = loaded;
  const hint = namesake ? `For the file write ${namesake}` : suggestName(loaded.distroId, await listDistroIds());
  return [{ place: loaded.placeOf(['distro']), message: `there is no distro ${loaded.distroId}`, hint }];
}
