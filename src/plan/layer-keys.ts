import { createHash } from 'node:crypto';
import { basename } from 'node:path';
import type { Distro } from '../distro/schema.ts';
import { type Format, formats, type Recipe, type Step } from '../recipe/schema.ts';
import type { SourceFile } from '../recipe/sources.ts';
import { describeStep } from '../recipe/step.ts';
import { digestOf } from './canonical-json.ts';
import type { DeliveredFile } from './delivered.ts';
import { flattenInputs } from './layer-inputs.ts';
import type { LayerPhase, PlannedLayer, PlannedMedia, ProvisionPart } from './plan.ts';
import { identifyMedia } from './planned-media.ts';

/** Raised when the code of a phase does something else with the same inputs: layers of before are not used again. */
export const phaseVersions: Readonly<Record<LayerPhase, number>> = {
  install: 1,
  provision: 1,
  seal: 2,
  verify: 1,
  export: 1,
};

/** What reads settings: a phase, or the export of one format. */
type Reader = 'install' | 'users' | 'groups' | 'steps' | 'seal' | 'vmdk' | 'ova';

/**
 * Who reads each setting first; what follows stands on that. A setting that is not listed does not compile; one that
 * changes the result and has no reader would give a stale image, the other way round a build that takes longer.
 */
export const readersOfSetting: Readonly<Record<keyof Recipe, readonly Reader[]>> = {
  // Files are named after it, and name each other.
  name: ['vmdk', 'ova'],
  // By its facts, below.
  distro: ['install'],
  // By its content, below.
  base: ['install'],
  arch: ['install'],
  // The image boots with both, yet the installer sees which one it runs on, and an OVA says it.
  firmware: ['install', 'ova'],
  // Of the machine that builds: the installed system is the same, and an OVA tells them.
  cpus: ['ova'],
  memory: ['ova'],
  disk: ['install'],
  // The seal writes it again.
  hostname: ['install', 'seal'],
  locale: ['install'],
  timezone: ['install'],
  keyboard: ['install'],
  // What the installed system comes up with; the machines of the build have the same subnet.
  network: ['install'],
  ntp: ['install'],
  // By the content of their keys, below.
  repositories: [],
  // By what it resolves to, below.
  installer: [],
  // By its content, below.
  answerFile: [],
  packages: ['install'],
  // Made before the first step, so that steps can use them; in groups after the last, which may bring the groups.
  users: ['users', 'groups'],
  // Every mirror serves the same signed packages, and the seal replaces its name.
  mirror: [],
  securityMirror: [],
  imageMirror: ['seal'],
  imageSecurityMirror: ['seal'],
  // kvmimg's own; the guest never hears of it.
  proxy: [],
  kernelArguments: ['install'],
  // Step by step, below.
  provision: ['steps'],
  // By time, when a layer is looked for.
  expires: [],
  // A build that ends in time is the same.
  limits: [],
  // Which exports there are, not what is in them.
  formats: [],
  // A VMDK tells the hardware version alone, below.
  ovf: ['ova'],
};

export interface LayerInputs {
  readonly recipe: Recipe;
  readonly distro: Distro;
  readonly media: PlannedMedia;
  readonly sources: readonly SourceFile[];
  /** SHA-256 of each answer file template of the family, by name. */
  readonly templates: Readonly<Record<string, string>>;
}

/**
 * The layers of a build in the order in which they are made, each named by everything that its phase reads, so that a
 * change runs again what it touches, and no more.
 */
export function makePlannedLayers(inputs: LayerInputs): PlannedLayer[] {
  const { recipe, distro } = inputs;
  const layers: PlannedLayer[] = [recipe.base === undefined ? makeInstallLayer(inputs) : makeBaseLayer(inputs)];
  const add = (layer: NewLayer): PlannedLayer => {
    const made = makeLayer(layer, layers.at(-1)?.key);
    layers.push(made);
    return made;
  };
  for (const part of provisionParts(recipe)) add(describePart(part, recipe, inputs.sources));
  const seal = add({ phase: 'seal', title: 'seal', inputs: sealInputs(recipe, distro) });
  add({ phase: 'verify', title: 'verify', inputs: {} });
  return [...layers, ...recipe.formats.map((format) => makeExportLayer(format, inputs, seal.key))];
}

/** The export of a format, whether it is asked for or not. */
export function makeExportLayer(
  format: Format,
  { recipe, distro }: Pick<LayerInputs, 'recipe' | 'distro'>,
  sealKey: string,
): PlannedLayer {
  const { id, title, release, ovf } = distro;
  const settings = format === 'ova' || format === 'vmdk' ? settingsOf(recipe, format) : {};
  const { hardwareVersion = ovf.hardwareVersion } = recipe.ovf;
  const facts = { vmdk: { hardwareVersion }, ova: { distro: { id, title, release, ovf } }, qcow2: {}, raw: {} }[format];
  const layer = {
    phase: 'export',
    title: `export ${format}`,
    format,
    inputs: { format, ...settings, ...facts },
  } as const;
  return makeLayer(layer, sealKey);
}

/** Those of the files in an output folder that a build of this recipe has cut from this seal, and nobody has changed. */
export function findOwnFiles(
  inputs: Pick<LayerInputs, 'recipe' | 'distro'>,
  sealKey: string,
  delivered: readonly DeliveredFile[],
): DeliveredFile[] {
  const keys = formats.map((format) => makeExportLayer(format, inputs, sealKey).key);
  return delivered.filter((file) => file.unchanged && keys.includes(file.layerKey));
}

/** What provisioning does, in order, a layer each. */
export function provisionParts(recipe: Pick<Recipe, 'users' | 'provision'>): ProvisionPart[] {
  return [
    ...(recipe.users.length > 0 ? [{ kind: 'users' as const }] : []),
    ...recipe.provision.map((_, index) => ({ kind: 'step' as const, index })),
    ...(recipe.users.some((user) => user.groups.length > 0) ? [{ kind: 'groups' as const }] : []),
  ];
}

type NewLayer = Omit<PlannedLayer, 'key' | 'parentKey' | 'inputs' | 'readsMirror'> & {
  readonly readsMirror?: boolean;
  readonly inputs: Readonly<Record<string, unknown>>;
};

function makeLayer({ inputs, readsMirror = false, ...layer }: NewLayer, parentKey: string | undefined): PlannedLayer {
  const version = phaseVersions[layer.phase];
  return {
    ...layer,
    key: digestOf({ phase: layer.phase, version, parentKey, inputs }),
    ...(parentKey === undefined ? {} : { parentKey }),
    readsMirror,
    inputs: flattenInputs({ ...inputs, 'kvmimg phase version': version }),
  };
}

/** Facts of a distro that change nothing of the installed system, or are in the key by other words. */
const otherFacts: readonly string[] = [
  ...['id', 'title', 'arches', 'cpuLevel', 'memoryMinimum', 'diskMinimum', 'installedSize', 'ovf'],
  // Every mirror serves the same packages, and these are only names of files that save time.
  ...['mirrors', 'basePackages'],
  // By their content, and those of one architecture.
  ...['iso', 'installerLocks', 'archPackages'],
];

/** Every other fact, so that one that is new to the schema is in the key, too. */
function installFacts(distro: Distro, { arch }: Recipe): Readonly<Record<string, unknown>> {
  const facts = Object.entries(distro).filter(([name]) => !otherFacts.includes(name));
  return { ...Object.fromEntries(facts), archPackages: distro.archPackages[arch] };
}

function makeInstallLayer({ recipe, distro, media, templates, sources }: LayerInputs): PlannedLayer {
  return makeLayer(
    {
      phase: 'install',
      title: 'install',
      readsMirror: true,
      inputs: {
        ...settingsOf(recipe, 'install'),
        'facts of the distro': installFacts(distro, recipe),
        repositories: repositoryInputs(recipe, sources),
        'installer media': digestOf(identifyMedia(media)),
        // Anaconda checks no signatures, so that here another mirror may be another system.
        'unchecked mirror': distro.family === 'redhat' ? recipe.mirror : undefined,
        'answer file template': templates,
        'answer file': contentOf(recipe.answerFile, sources),
      },
    },
    undefined,
  );
}

/** The addresses that the seal leaves behind. */
function sealInputs(recipe: Recipe, distro: Distro): Readonly<Record<string, unknown>> {
  const ports = distro.family === 'ubuntu' ? distro.mirrors.byArch[recipe.arch] : undefined;
  const { public: main, publicSecurity } = ports ?? distro.mirrors;
  return {
    ...settingsOf(recipe, 'seal'),
    mirrors: [main, publicSecurity],
    'repositories of the distro': 'repositories' in distro ? distro.repositories : undefined,
    repositories: recipe.repositories.map(({ name, url }) => ({ name, url })),
  };
}

function repositoryInputs(recipe: Recipe, sources: readonly SourceFile[]): unknown {
  if (recipe.repositories.length === 0) return undefined;
  return recipe.repositories.map(({ key, keySource, ...rest }) => ({
    ...rest,
    key: hashOf(key) ?? contentOf(keySource, sources),
  }));
}

/** Of what the installer would do only the size of the disk and the host name are said to a base image. */
function makeBaseLayer({ recipe, distro, sources }: LayerInputs): PlannedLayer {
  const { base = '', arch, firmware, disk, hostname } = recipe;
  const image = sources.find((source) => source.source === base)?.sha256 ?? 'not read';
  const inputs = { 'base image': image, distro: distro.id, arch, firmware, disk, hostname };
  return makeLayer({ phase: 'install', title: `base ${basename(base)}`, inputs }, undefined);
}

function describePart(part: ProvisionPart, recipe: Recipe, sources: readonly SourceFile[]): NewLayer {
  if (part.kind === 'users') {
    const users = recipe.users.map(({ groups: _, ...user }) => user);
    return { phase: 'provision', title: 'users', part, inputs: { users } };
  }
  if (part.kind === 'groups') {
    const groups = recipe.users.map((user) => [user.name, user.groups]);
    return { phase: 'provision', title: 'groups of users', part, inputs: { groups } };
  }
  const step = recipe.provision[part.index];
  if (step === undefined) throw new Error(`The recipe has no provision step ${part.index}.`);
  return {
    phase: 'provision',
    title: `provision[${part.index}] (${describeStep(step)})`,
    part,
    // A script may install what it likes.
    readsMirror: step.packages !== undefined || step.scripts !== undefined,
    inputs: stepInputs(step, sources),
  };
}

/** What of a step changes the image: not its time limit, not the names of scripts, and of a file what is in it. */
function stepInputs(step: Step, sources: readonly SourceFile[]): Readonly<Record<string, unknown>> {
  const { timeout: _, files, scripts, ...rest } = step;
  return {
    ...rest,
    files: files?.map(({ source, content, ...file }) => ({
      ...file,
      sha256: hashOf(content) ?? contentOf(source, sources),
    })),
    scripts: scripts?.map(({ run, source }) => hashOf(run) ?? contentOf(source, sources)),
  };
}

function contentOf(source: string | undefined, sources: readonly SourceFile[]): string | undefined {
  return sources.find((candidate) => candidate.source === source)?.sha256;
}

/** The digest stands for a text that may hold a secret, and is the same for a text and a file that holds it. */
function hashOf(text: string | undefined): string | undefined {
  return text === undefined ? undefined : createHash('sha256').update(text).digest('hex');
}

function settingsOf(recipe: Recipe, reader: Reader): Readonly<Record<string, unknown>> {
  const entries = Object.entries(recipe).filter(([name]) => readersOfSetting[name as keyof Recipe].includes(reader));
  return Object.fromEntries(entries);
}
