import type { DistroOf, InstallerLock } from '../../../src/distro/schema.ts';
import type { PlanInputs } from '../../../src/plan/make-plan.ts';
import { completeRecipe } from '../../../src/recipe/complete.ts';
import { formatPath } from '../../../src/recipe/path.ts';
import { type Recipe, recipeSchema } from '../../../src/recipe/schema.ts';

const gibibyte = 2 ** 30;
const file = (name: string) => ({ path: `pool/${name}`, sizeBytes: 1, sha256: name.repeat(64).slice(0, 64) });

export const distro: DistroOf<'debian'> = {
  id: 'testian-1',
  title: 'Testian 1',
  family: 'debian',
  release: '1',
  codename: 'testy',
  arches: ['amd64'],
  cpuLevel: 1,
  kernelArguments: [],
  installerLocks: { amd64: 'testian-1-amd64.lock.json' },
  skipUdebs: ['jfs-modules'],
  mirrors: {
    public: 'http://public.example.org/debian',
    publicSecurity: 'http://public.example.org/debian-security',
    archive: 'http://archive.example.org/debian',
    keyring: 'keys/testian.gpg',
  },
  memoryMinimum: gibibyte,
  diskMinimum: 3 * gibibyte,
  installedSize: gibibyte,
  basePackages: ['bash'],
  packages: ['openssh-server'],
  archPackages: { amd64: ['linux-image-amd64'] },
  ovf: { id: 96, osType: 'debian10_64Guest', hardwareVersion: 15 },
};

export const lock: InstallerLock = {
  lockVersion: 1,
  distro: 'testian-1',
  arch: 'amd64',
  suite: 'testy',
  release: '1.2',
  kernelVersion: '6.1-amd64',
  netboot: file('a'),
  kernel: { member: 'linux', ...file('b') },
  initrd: { member: 'initrd.gz', ...file('c') },
  udebs: [
    { package: 'partman-base', version: '1', file: file('d'), fields: {} },
    { package: 'jfs-modules-6.1-amd64-di', version: '1', file: file('e'), fields: {} },
  ],
};

export function makeRecipe(settings: Partial<Record<keyof Recipe, unknown>> = {}): Recipe {
  return completeRecipe(recipeSchema.parse({ distro: 'testian-1', ...settings }), distro);
}

/** A build that can be planned; each test spoils one thing. */
export function makeInputs(changes: {
  readonly recipe?: Partial<Record<keyof Recipe, unknown>>;
  readonly facts?: Partial<PlanInputs['facts']>;
  readonly options?: Partial<PlanInputs['options']>;
  readonly distro?: Partial<DistroOf<'debian'>>;
  readonly withoutLock?: boolean;
  readonly checksHost?: boolean;
}): PlanInputs {
  const folder = { obstacle: undefined, freeBytes: 50 * gibibyte };
  return {
    recipe: makeRecipe(changes.recipe),
    sources: [],
    distro: { ...distro, ...changes.distro },
    lock: changes.withoutLock ? undefined : lock,
    facts: {
      platform: 'linux',
      arch: 'amd64',
      memoryBytes: 16 * gibibyte,
      mirrors: undefined,
      output: { ...folder, path: '/out', fileSystem: 1 },
      cache: { ...folder, path: '/cache', fileSystem: 2 },
      existingOutputs: [],
      manifestExists: false,
      blockedOutputs: [],
      delivered: [],
      missingMediaDirs: [],
      templates: { 'late.sh': 'f'.repeat(64) },
      ...changes.facts,
    },
    options: {
      accel: 'auto',
      outputDir: '/out',
      cacheDir: '/cache',
      mediaDirs: [],
      force: false,
      keepOnFailure: false,
      cache: 'use',
      phases: {},
      offline: false,
      ...changes.options,
    },
    checksHost: changes.checksHost ?? true,
    placeOf: formatPath,
  };
}
