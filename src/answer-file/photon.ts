import { buildUserName, type Plan } from '../plan/plan.ts';
import { type PlanOf, planOf } from '../plan/plan-of.ts';
import { rpmArches } from '../plan/planned-media.ts';
import { splitKeyboard } from '../recipe/keyboard.ts';
import type { Arch } from '../recipe/schema.ts';
import { makeDiskLayout } from './disk-layout.ts';
import {
  type ImageFile,
  type ImagePart,
  lvmGrowth,
  makeStaticNetwork,
  makeTimeServers,
  quoteScriptWord,
  renderImagePart,
} from './image-files.ts';
import { makePhotonPartitions } from './photon-disk.ts';
import { describeRpmRepository, makeRpmRepositoryFiles } from './rpm-repository.ts';
import { callbackUrl, type RunFacts, seedUrl } from './run-facts.ts';
import { except, fillTemplate, readTemplate } from './template.ts';
import type { AnswerFileWriter } from './writer.ts';

export const photonFileNames = ['ks.json'] as const;
export type PhotonFiles = Readonly<Record<(typeof photonFileNames)[number], string>>;
/** The scripts that ks.json holds, line by line: `photon/<name>`. */
const scriptNames = ['preinstall.sh', 'postinstall.sh'] as const;
export type PhotonTemplates = Readonly<Record<(typeof scriptNames)[number], string>>;

type PhotonPlan = PlanOf<'photon', 'iso'>;

const machines = {
  amd64: {
    bootmode: 'dualboot',
    console: 'ttyS0',
    removableLoader: 'bootx64.efi',
    grubTerminal: String.raw`serial --unit=0 --speed=115200\nterminal_input console serial\nterminal_output console serial`,
  },
  arm64: {
    bootmode: 'efi',
    console: 'ttyAMA0',
    removableLoader: 'bootaa64.efi',
    grubTerminal: String.raw`terminal_input console\nterminal_output console`,
  },
} as const satisfies Readonly<Record<Arch, unknown>>;

/** The texts of `photon/`. */
export async function loadPhotonTemplates(): Promise<PhotonTemplates> {
  const entries = scriptNames.map(async (name) => [name, await readTemplate(`photon/${name}`)] as const);
  return Object.fromEntries(await Promise.all(entries)) as PhotonTemplates;
}

/**
 * Everything that Photon's installer is told, in keys that the installer of the 5.0 GA ISO (2.3) and all later ones know.
 * Pure.
 *
 * @throws KvmimgError `answer-file-value` for a value that a script cannot carry.
 */
export function renderPhotonAnswerFile(anyPlan: Plan, run: RunFacts, templates: PhotonTemplates): PhotonFiles {
  const plan = planOf(anyPlan, 'photon', 'iso');
  const { recipe, distro } = plan;
  const layout = makeDiskLayout(plan);
  const config = {
    hostname: recipe.hostname,
    // The installer follows links, so any name of the disk will do.
    disk: `/dev/disk/by-id/virtio-${layout.serial}`,
    bootmode: machines[recipe.arch].bootmode,
    partitions: makePhotonPartitions(layout),
    linux_flavor: 'linux',
    packages: [...distro.packages, ...(distro.archPackages[recipe.arch] ?? [])],
    password: { crypted: true, text: '*', age: -1 },
    // Not this machine's own system: no machine-id, and no boot entry in its firmware.
    live: false,
    eject_cdrom: false,
    ui: false,
    log_level: 'info',
    preinstall: linesOf(renderPreinstall(run, templates)),
    postinstall: linesOf(renderPostinstall(plan, run, templates)),
  };
  return { 'ks.json': `${JSON.stringify(config, undefined, 2)}\n` };
}

function renderPreinstall(run: RunFacts, templates: PhotonTemplates): string {
  return fillTemplate(templates['preinstall.sh'], { callbackUrl: callbackUrl(run) }, quoteScriptWord);
}

function renderPostinstall(plan: PhotonPlan, run: RunFacts, templates: PhotonTemplates): string {
  const { recipe } = plan;
  const { console, removableLoader, grubTerminal } = machines[recipe.arch];
  const keyboard = splitKeyboard(recipe.keyboard);
  const words = {
    callbackUrl: callbackUrl(run),
    hostPrivateKey: run.hostKey.privateKey.trimEnd(),
    hostPublicKey: run.hostKey.publicKey,
    buildUser: buildUserName,
    buildUserKey: run.buildUserKey,
    locale: recipe.locale,
    timezone: recipe.timezone,
    keyboardLayout: keyboard.layout,
    keyboardVariant: keyboard.variant,
    kernelArguments: [...recipe.kernelArguments, 'console=tty0', `console=${console},115200`].join(' '),
    mirrorPackages: photonMirrorPackages(plan).join(' '),
  };
  const lines = {
    imageParts: imageParts(plan, run).map(renderImagePart).join('\n'),
    repositories: renderImagePart({ title: 'the mirror', files: buildRepositories(plan, run), units: [] }).trimEnd(),
    removableLoader,
    grubTerminal,
  };
  return fillTemplate(templates['postinstall.sh'], { ...lines, ...words }, except(Object.keys(lines), quoteScriptWord));
}

/** What is installed from the mirror, each once: the ISO has few packages. */
export function photonMirrorPackages({ recipe, distro }: PhotonPlan): string[] {
  return [
    ...new Set([
      ...distro.mirrorPackages,
      ...(recipe.locale === 'C.UTF-8' ? [] : ['glibc-i18n']),
      ...(recipe.keyboard === 'us' ? [] : ['kbd']),
      ...(recipe.disk.filesystem === 'xfs' ? ['xfsprogs'] : []),
      ...recipe.packages,
    ]),
  ];
}

function imageParts({ recipe }: PhotonPlan, run: RunFacts): readonly ImagePart[] {
  const files = makeRpmRepositoryFiles({ recipe }, run);
  return [
    recipe.network === 'dhcp' ? dhcp : makeStaticNetwork(recipe.network, networkPath),
    ...(recipe.ntp.length > 0 ? [makeTimeServers(recipe.ntp)] : []),
    ...(recipe.disk.layout === 'lvm' ? [lvmGrowth] : []),
    ...(files.length > 0 ? [{ title: 'repositories of the recipe', files, units: [] }] : []),
  ];
}

/** After what cloud-init writes from first-boot data (10-cloud-init-*), for networkd takes the first that matches. */
const networkPath = '/etc/systemd/network/90-kvmimg.network';

const dhcp: ImagePart = {
  title: 'network: DHCP on every Ethernet device',
  files: [
    {
      path: networkPath,
      mode: '644',
      content: ['[Match]', 'Type=ether', 'Kind=!*', '[Network]', 'DHCP=yes', '[DHCPv4]', 'UseDomains=yes'].join('\n'),
    },
  ],
  units: [],
};

/** The distribution's own repositories while installing: elsewhere, so that nothing of them stays in the image. */
function buildRepositories({ distro, recipe }: PhotonPlan, run: RunFacts): readonly ImageFile[] {
  return distro.repositories.map(({ id, path }) => {
    const url = `${run.guestRoot}/packages/${path.replaceAll('{arch}', rpmArches[recipe.arch])}`;
    return { path: `/tmp/kvmimg-repos/${id}.repo`, mode: '644', content: describeRpmRepository(`kvmimg-${id}`, url) };
  });
}

/** As the installer joins them again: with a line break between two. */
function linesOf(script: string): readonly string[] {
  return script.trimEnd().split('\n');
}

/**
 * The arguments of the installer's kernel. One console: the installer runs on the terminal that is the only one.
 *
 * @param machineArguments what the machine wants of it, such as those that make emulation faster.
 */
export function photonKernelArguments(
  { recipe }: Plan,
  run: RunFacts,
  machineArguments: readonly string[] = [],
): readonly string[] {
  return [
    'root=/dev/ram0',
    'loglevel=3',
    'photon.media=cdrom',
    `ks=${seedUrl(run)}/ks.json`,
    // Lets it take ks.json by plain HTTP; kvmimg is reached in no other way, and over the host's loopback only.
    'insecure_installation=1',
    `console=${machines[recipe.arch].console}`,
    ...machineArguments,
  ];
}

export const photonWriter: AnswerFileWriter = {
  fileNames: photonFileNames,
  loadTemplates: loadPhotonTemplates,
  render: (plan, run, templates) => renderPhotonAnswerFile(plan, run, templates as PhotonTemplates),
  kernelArguments: photonKernelArguments,
};
