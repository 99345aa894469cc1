import type { Distro, InstallerLock } from '../distro/schema.ts';
import type { Recipe, Step } from '../recipe/schema.ts';
import type { SourceFile } from '../recipe/sources.ts';
import { digestOf } from './canonical-json.ts';
import type { LayerKeys } from './plan.ts';

/** Raised when the code of a phase does something else with the same inputs: layers of before are not used again. */
export const phaseVersions = { install: 1, provision: 1, seal: 1 } as const;

type KeyedPhase = keyof typeof phaseVersions;

/**
 * The first layer that each setting goes into. A setting that is not listed does not compile; one that changes the
 * result and is listed as `none` would give a stale image, the other way round a build that takes longer.
 */
export const layerOfSetting: Readonly<Record<keyof Recipe, KeyedPhase | 'none'>> = {
  // Names the output files, nothing inside the image.
  name: 'none',
  // By its facts, below.
  distro: 'install',
  arch: 'install',
  // The image boots with both, yet the installer sees which one it runs on.
  firmware: 'install',
  // Of the machine that builds; the installed system is the same.
  cpus: 'none',
  memory: 'none',
  disk: 'install',
  hostname: 'install',
  locale: 'install',
  timezone: 'install',
  keyboard: 'install',
  packages: 'install',
  // Made before the first step, so that steps can use them.
  users: 'provision',
  // Every mirror serves the same signed packages, and the seal replaces its name.
  mirror: 'none',
  securityMirror: 'none',
  imageMirror: 'seal',
  imageSecurityMirror: 'seal',
  // kvmimg's own; the guest never hears of it.
  proxy: 'none',
  kernelArguments: 'install',
  // Step by step, below.
  provision: 'provision',
  // A build that ends in time is the same.
  limits: 'none',
  // Cut from the sealed disk.
  formats: 'none',
};

export interface LayerInputs {
  readonly recipe: Recipe;
  readonly distro: Distro;
  readonly lock: InstallerLock;
  readonly sources: readonly SourceFile[];
  /** SHA-256 of the family's answer file templates. */
  readonly templatesSha256: string;
}

/** Names each layer by everything that its phase reads, so that a change runs again what it touches, and no more. */
export function makeLayerKeys(inputs: LayerInputs): LayerKeys {
  const { recipe, distro, lock, templatesSha256 } = inputs;
  const install = keyOf('install', undefined, {
    settings: settingsOf(recipe, 'install'),
    distro: { family: distro.family, codename: distro.codename, skipUdebs: distro.skipUdebs },
    packages: [distro.packages, distro.archPackages[recipe.arch]],
    media: [lock.netboot, lock.kernel, lock.initrd, ...lock.udebs.map((udeb) => udeb.file)].map((file) => file.sha256),
    templatesSha256,
  });
  const { provision: steps, ...settings } = settingsOf(recipe, 'provision');
  const provisioned = digestOf([install, settings]);
  const provision = makeStepKeys(provisioned, steps ?? [], inputs.sources);
  const seal = keyOf('seal', provision.at(-1) ?? provisioned, {
    settings: settingsOf(recipe, 'seal'),
    mirrors: [distro.mirrors.public, distro.mirrors.publicSecurity],
  });
  return { install, provision, seal };
}

function makeStepKeys(base: string, steps: readonly Step[], sources: readonly SourceFile[]): string[] {
  const keys: string[] = [];
  for (const step of steps) keys.push(keyOf('provision', keys.at(-1) ?? base, stepInputs(step, sources)));
  return keys;
}

/** What of a step changes the image: not its time limit, not the names of scripts, and of a file what is in it. */
function stepInputs(step: Step, sources: readonly SourceFile[]): unknown {
  const { timeout: _, files, scripts, ...rest } = step;
  const contentOf = (source: string | undefined): string | undefined =>
    sources.find((candidate) => candidate.source === source)?.sha256;
  return {
    ...rest,
    files: files?.map(({ source, ...file }) => ({ ...file, sourceSha256: contentOf(source) })),
    scripts: scripts?.map(({ run, source }) => ({ run, sourceSha256: contentOf(source) })),
  };
}

function settingsOf(recipe: Recipe, phase: KeyedPhase): Partial<Recipe> {
  const entries = Object.entries(recipe).filter(([name]) => layerOfSetting[name as keyof Recipe] === phase);
  return Object.fromEntries(entries);
}

function keyOf(phase: KeyedPhase, parent: string | undefined, inputs: unknown): string {
  return digestOf({ phase, version: phaseVersions[phase], parent, inputs });
}
