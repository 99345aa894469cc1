import type { Problem } from '../errors.ts';
import { isRecipeFile } from '../recipe/base.ts';
import { formatSize } from '../recipe/quantities.ts';
import { type Format, recipeSchema } from '../recipe/schema.ts';
import { digestOf } from './canonical-json.ts';
import { checkHeeded, checkIsoDigest, checkMediaDirs, netbootOnly } from './heeded-rules.ts';
import { findOwnFiles, makePlannedLayers } from './layer-keys.ts';
import type { PlanInputs, PlanOptions } from './make-plan.ts';
import type { PlaceFacts } from './plan-facts.ts';
import { planMedia } from './planned-media.ts';
import { planOutputs } from './planned-outputs.ts';
import { checkVolumes } from './volume-rules.ts';

/** A condition that a build must meet before anything is fetched. */
interface PlanRule {
  readonly name: string;
  /** It depends on the host and not on the recipe alone. */
  readonly aboutHost: boolean;
  readonly check: (inputs: PlanInputs) => readonly Problem[];
}

/** What a file of a format takes at least, as a part of the installed size. Compressed ones were seen at a third. */
const formatShares: Readonly<Record<Format, number>> = { qcow2: 0.3, raw: 1, vmdk: 0.3, ova: 0.3 };

export const planRules: readonly PlanRule[] = [
  { name: 'arch-is-built', aboutHost: false, check: checkArch },
  { name: 'installer-fits', aboutHost: false, check: checkInstaller },
  { name: 'settings-are-heeded', aboutHost: false, check: checkHeeded },
  { name: 'iso-is-the-one', aboutHost: false, check: checkIsoDigest },
  { name: 'media-folders-exist', aboutHost: false, check: checkMediaDirs },
  { name: 'firmware-exists', aboutHost: false, check: checkFirmware },
  { name: 'installer-has-memory', aboutHost: false, check: checkInstallerMemory },
  { name: 'package-names', aboutHost: false, check: checkPackageNames },
  { name: 'repository-is-new', aboutHost: false, check: checkRepositories },
  { name: 'volumes-fit', aboutHost: false, check: checkVolumes },
  { name: 'disk-suffices', aboutHost: false, check: checkDisk },
  { name: 'base-is-installed', aboutHost: false, check: checkBase },
  { name: 'accel-is-possible', aboutHost: true, check: checkAccel },
  { name: 'host-has-memory', aboutHost: true, check: checkHostMemory },
  { name: 'folders-are-writable', aboutHost: true, check: checkFolders },
  { name: 'space-suffices', aboutHost: true, check: checkSpace },
  { name: 'outputs-are-files', aboutHost: true, check: checkBlockedOutputs },
  { name: 'outputs-are-new', aboutHost: true, check: checkOutputs },
];

/**
 * What can be told of the folders and files without a right recipe: no more than is certain. `planned` is undefined
 * where nobody knows what the build is called.
 */
export function checkPlaces({
  facts,
  options,
  planned,
  checksHost,
}: {
  readonly facts: PlaceFacts;
  readonly options: PlanOptions;
  readonly planned: ReturnType<typeof planOutputs> | undefined;
  readonly checksHost: boolean;
}): readonly Problem[] {
  const media = checkMediaDirs({ facts });
  if (!checksHost) return media;
  const isChecked = planned !== undefined && planned.outputs.length > 0 && !options.force;
  // Any file that nobody has changed may turn out to be the build's own.
  const own = facts.delivered?.filter((file) => file.unchanged).map((file) => file.path) ?? [];
  const folders = [...checkFolders({ facts }), ...checkBlockedOutputs({ facts })];
  return [...media, ...folders, ...(isChecked ? checkWay(facts, own, planned.manifestPath) : [])];
}

function checkArch(inputs: PlanInputs): Problem[] {
  const { recipe, distro, placeOf } = inputs;
  const place = placeOf(['arch']);
  if (!distro.arches.includes(recipe.arch)) {
    const message = `${distro.title} cannot be built for ${recipe.arch}`;
    return [{ place, message, hint: `It can for ${distro.arches.join(', ')}.` }];
  }
  if (planMedia(inputs) !== undefined) return [];
  if (distro.family !== 'debian')
    return [{ place, message: `there is no installer of ${distro.id} for ${recipe.arch}` }];
  const hint = `Make one with: kvmimg lock ${distro.id}`;
  return [{ place, message: `there is no installer lock of ${distro.id} for ${recipe.arch}`, hint }];
}

function checkInstaller({ recipe, distro, placeOf }: PlanInputs): Problem[] {
  const { iso, from } = recipe.installer;
  const problem = (name: string, message: string): Problem => ({ place: placeOf(['installer', name]), message });
  if (distro.family === 'debian') {
    const message = netbootOnly(distro);
    return [...(iso === undefined ? [] : [problem('iso', message)]), ...(from ? [problem('from', message)] : [])];
  }
  if (from !== 'tree') return [];
  if (distro.family !== 'redhat') return [problem('from', `${distro.title} is installed from its ISO only`)];
  if (!distro.hasTree) return [problem('from', `${distro.title} is installed from its ISO only`)];
  return distro.subscription ? [problem('from', `the trees of ${distro.title} are for subscribers; use its ISO`)] : [];
}

function checkFirmware({ recipe, placeOf }: PlanInputs): Problem[] {
  if (recipe.arch !== 'arm64' || recipe.firmware !== 'bios') return [];
  return [{ place: placeOf(['firmware']), message: 'arm64 machines have no BIOS', hint: 'Use uefi.' }];
}

function checkAccel({ recipe, facts, options }: PlanInputs): Problem[] {
  const place = '--accel';
  const platforms = { kvm: 'linux', hvf: 'darwin' } as const;
  if (options.accel === 'auto' || options.accel === 'tcg') return [];
  if (facts.platform !== platforms[options.accel]) {
    const hint = 'Use auto, which takes what works.';
    return [{ place, message: `${options.accel} does not exist on this host's system (${facts.platform})`, hint }];
  }
  if (facts.arch === recipe.arch) return [];
  const message = `${options.accel} runs guests of this host's own architecture only, not ${recipe.arch}`;
  return [{ place, message, hint: 'Use tcg, which emulates.' }];
}

function checkInstallerMemory({ recipe, distro, placeOf }: PlanInputs): Problem[] {
  if (recipe.memory >= distro.memoryMinimum) return [];
  const [least, given] = [formatSize(distro.memoryMinimum), formatSize(recipe.memory)];
  return [{ place: placeOf(['memory']), message: `the installer of ${distro.title} needs ${least}, not ${given}` }];
}

function checkHostMemory({ recipe, facts, placeOf }: PlanInputs): Problem[] {
  if (recipe.memory <= facts.memoryBytes) return [];
  const [wanted, present] = [formatSize(recipe.memory), formatSize(facts.memoryBytes)];
  return [{ place: placeOf(['memory']), message: `${wanted} is more than this host has (${present})` }];
}

function checkDisk({ recipe, distro, placeOf }: PlanInputs): Problem[] {
  if (recipe.disk.size >= distro.diskMinimum) return [];
  const message = `${distro.title} needs ${formatSize(distro.diskMinimum)}, not ${formatSize(recipe.disk.size)}`;
  return [{ place: placeOf(['disk', 'size']), message }];
}

/** dpkg's own rule; rpm takes more. */
const debianName = /^[a-z0-9][a-z0-9+.-]+$/;

function checkPackageNames({ recipe, distro, placeOf }: PlanInputs): Problem[] {
  if (distro.family !== 'debian' && distro.family !== 'ubuntu') return [];
  const named = [
    { path: ['packages'], names: recipe.packages },
    ...recipe.provision.map(({ packages = [] }, index) => ({
      path: ['provision', index, 'packages'],
      names: packages,
    })),
  ];
  return named.flatMap(({ path, names }) =>
    names.flatMap((name, index) =>
      debianName.test(name)
        ? []
        : [{ place: placeOf([...path, index]), message: `${name} is no name of a package of ${distro.title}` }],
    ),
  );
}

/** Names of files that a distribution has, or that kvmimg writes, where the repositories go. */
const takenNames =
  /^(kvmimg(-.*)?|debian|ubuntu|rocky(-.*)?|almalinux(-.*)?|redhat|oracle-linux(-.*)?|centos(-.*)?|fedora(-.*)?|photon(-.*)?)$/;

function checkRepositories({ recipe, placeOf }: PlanInputs): Problem[] {
  return recipe.repositories.flatMap(({ name }, index) =>
    takenNames.test(name)
      ? [
          {
            place: placeOf(['repositories', index, 'name']),
            message: `${name} may be a file of the distribution's own`,
          },
        ]
      : [],
  );
}

/** Settings that only an installer heeds. */
const installerSettings = [
  ...(['packages', 'kernelArguments', 'locale', 'timezone', 'keyboard', 'network', 'ntp', 'repositories'] as const),
  ...(['installer', 'answerFile'] as const),
];

function checkBase({ recipe, placeOf }: PlanInputs): Problem[] {
  if (recipe.base === undefined) return [];
  const defaults = recipeSchema.parse({ distro: recipe.distro });
  if (isRecipeFile(recipe.base)) {
    const hint = 'Say it in a recipe file.';
    return [{ place: placeOf(['base']), message: 'a base that is a recipe cannot be given here', hint }];
  }
  const { size: _, ...disk } = recipe.disk;
  const paths = installerSettings.filter((name) => digestOf({ it: recipe[name] }) !== digestOf({ it: defaults[name] }));
  return [...paths, ...(digestOf(disk) === digestOf(defaults.disk) ? [] : ['disk'])].map((name) => ({
    place: placeOf([name]),
    message: 'is done by the installer, and a base image is installed already',
    hint: 'Do it in a provision step.',
  }));
}

function checkFolders({ facts }: { readonly facts: Pick<PlaceFacts, 'output' | 'cache'> }): Problem[] {
  return [
    { place: '--output', folder: facts.output },
    { place: 'KVMIMG_CACHE_DIR', folder: facts.cache },
  ].flatMap(({ place, folder }) =>
    folder.obstacle === undefined ? [] : [{ place, message: `${folder.path} cannot be written: ${folder.obstacle}` }],
  );
}

/** The least that a build takes: a check that lets a tight build try, and stops one that cannot succeed. */
function checkSpace({ recipe, distro, facts }: PlanInputs): Problem[] {
  const outputBytes = recipe.formats.reduce((sum, format) => sum + distro.installedSize * formatShares[format], 0);
  const together = facts.output.fileSystem === facts.cache.fileSystem;
  const needs = [
    {
      place: 'KVMIMG_CACHE_DIR',
      what: 'the disk',
      folder: facts.cache,
      bytes: distro.installedSize + (together ? outputBytes : 0),
    },
    { place: '--output', what: 'the outputs', folder: facts.output, bytes: together ? 0 : outputBytes },
  ];
  return needs
    .filter(({ folder, bytes }) => folder.obstacle === undefined && folder.freeBytes < bytes)
    .map(({ place, what, folder, bytes }) => ({
      place,
      message: `no space for ${what}: ${folder.path} has ${formatSize(folder.freeBytes)} free, ${formatSize(bytes)} are needed at least`,
      hint: 'Free some space there, or choose a folder on another disk.',
    }));
}

function checkBlockedOutputs({ facts }: { readonly facts: PlaceFacts }): Problem[] {
  const hint = 'Move it away, or choose another folder with --output.';
  return facts.blockedOutputs.map((path) => ({ place: path, message: 'is there, and is no file to replace', hint }));
}

/** What an earlier build of the same has written, and nobody has changed, may stay or be replaced. */
function checkOutputs({ recipe, distro, facts, options, ...inputs }: PlanInputs): Problem[] {
  const { outputs, manifestPath } = planOutputs(recipe, options);
  const media = planMedia({ ...inputs, recipe, distro });
  if (options.force || media === undefined || outputs.length === 0) return [];
  const layers = makePlannedLayers({ ...inputs, media, recipe, distro, templates: facts.templates });
  const sealKey = layers.find((layer) => layer.phase === 'seal')?.key ?? '';
  const own = findOwnFiles({ recipe, distro }, sealKey, facts.delivered ?? []).map((file) => file.path);
  return checkWay(facts, own, manifestPath);
}

/** `own` are the files of an earlier build of the same. */
function checkWay(facts: PlaceFacts, own: readonly string[], manifestPath: string): Problem[] {
  const strange = facts.existingOutputs.filter((path) => !own.includes(path));
  // A manifest whose files are all gone tells of nothing.
  const isOwnManifest = facts.delivered !== undefined && own.length === facts.delivered.length;
  const inTheWay = [...strange, ...(facts.manifestExists && !isOwnManifest ? [manifestPath] : [])];
  const hint = 'Use --force to replace it.';
  return inTheWay
    .filter((path) => !facts.blockedOutputs.includes(path))
    .map((path) => ({ place: path, message: 'exists already', hint }));
}
