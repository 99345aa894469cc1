import type { Distro, InstallerLock } from '../distro/schema.ts';
import type { Problem } from '../errors.ts';
import type { HostMirrors } from '../host/apt-sources.ts';
import type { Path } from '../recipe/path.ts';
import type { Recipe } from '../recipe/schema.ts';
import type { SourceFile } from '../recipe/sources.ts';
import { digestOf } from './canonical-json.ts';
import { makePlannedLayers } from './layer-keys.ts';
import type { AccelChoice, CacheUse, LayerPhase, Mirrors, PhaseChoice, Plan } from './plan.ts';
import type { PlanFacts } from './plan-facts.ts';
import { planRules } from './plan-rules.ts';
import { planMedia, withFullUdebNames } from './planned-media.ts';
import { lastPhase, planOutputs } from './planned-outputs.ts';
import { isAtOrAfter } from './reuse.ts';

/** What the command line says about the build rather than the image. */
export interface PlanOptions {
  readonly accel: AccelChoice;
  /** Absolute. */
  readonly outputDir: string;
  readonly cacheDir: string;
  readonly mediaDirs: readonly string[];
  readonly force: boolean;
  readonly keepOnFailure: boolean;
  readonly cache: CacheUse;
  readonly phases: PhaseChoice;
  readonly offline: boolean;
}

export interface PlanInputs {
  readonly recipe: Recipe;
  readonly sources: readonly SourceFile[];
  readonly distro: Distro;
  /** Debian's, of the recipe's architecture; undefined where there is none. */
  readonly lock: InstallerLock | undefined;
  readonly facts: PlanFacts;
  readonly options: PlanOptions;
  /** Whether what this host lacks is a problem; it is none for who only wants to see the answer file. */
  readonly checksHost: boolean;
  /** Names the place where a setting was said. */
  readonly placeOf: (path: Path) => string;
}

/** The whole of a build, or everything that stands in its way. Pure. */
export function makePlan(inputs: PlanInputs): { readonly plan: Plan } | { readonly problems: readonly Problem[] } {
  const rules = planRules.filter((rule) => inputs.checksHost || !rule.aboutHost);
  const problems = rules.flatMap((rule) => rule.check(inputs));
  const { recipe, distro, facts, options } = inputs;
  const media = planMedia(inputs);
  // Media that are missing are among the problems.
  if (problems.length > 0 || media === undefined) return { problems };
  const { outputs, manifestPath } = planOutputs(recipe, options);
  const last = lastPhase(options.phases);
  const layers = makePlannedLayers({ ...inputs, media, templates: facts.templates });
  const withoutDigest: Omit<Plan, 'digest'> = {
    planVersion: 1,
    name: recipe.name,
    recipe,
    distro: withFullUdebNames(distro, media, recipe),
    media,
    accel: options.accel,
    mirrors: chooseMirrors(recipe, distro, facts.mirrors),
    sources: inputs.sources,
    outputDir: options.outputDir,
    outputs,
    manifestPath,
    force: options.force,
    keepOnFailure: options.keepOnFailure,
    cache: options.cache,
    phases: options.phases,
    cacheDir: options.cacheDir,
    mediaDirs: options.mediaDirs,
    offline: options.offline,
    layers: layers.filter(({ phase }) => isAtOrAfter(last, phase) && isWanted(phase, options.phases)),
  };
  return { plan: { ...withoutDigest, digest: digestOf(withoutDigest) } };
}

/** By `--only` nothing is asked of phases that the chosen one does not stand on. */
function isWanted(phase: LayerPhase, { only }: PhaseChoice): boolean {
  return phase !== 'verify' || only === undefined || only === 'verify';
}

/** The recipe's mirror, else this host's own, else the public one; the image is left with the public one. */
export function chooseMirrors(recipe: Recipe, distro: Distro, host: HostMirrors | undefined): Mirrors {
  const hosts = distro.family === 'debian' ? host : undefined;
  const byArch = distro.family === 'ubuntu' ? distro.mirrors.byArch[recipe.arch] : undefined;
  const mirrors = byArch ?? distro.mirrors;
  // Without a security mirror of its own a distribution has all in one.
  const security = (main: string | undefined): string => mirrors.publicSecurity ?? main ?? mirrors.public;
  return {
    build: recipe.mirror ?? hosts?.main ?? mirrors.public,
    buildSecurity: recipe.securityMirror ?? hosts?.security ?? security(recipe.mirror),
    image: recipe.imageMirror ?? mirrors.public,
    imageSecurity: recipe.imageSecurityMirror ?? security(recipe.imageMirror),
    ...(mirrors.archive === undefined ? {} : { archive: mirrors.archive }),
    source: recipe.mirror ? 'recipe' : hosts?.main ? "this host's apt configuration" : 'public default',
  };
}
