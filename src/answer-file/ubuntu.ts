import { buildUserName, type Plan } from '../plan/plan.ts';
import { type PlanOf, planOf } from '../plan/plan-of.ts';
import { splitKeyboard } from '../recipe/keyboard.ts';
import type { Arch } from '../recipe/schema.ts';
import { makeAptSource } from './apt-source.ts';
import { makeDiskLayout } from './disk-layout.ts';
import {
  type ImagePart,
  lvmGrowth,
  makeStaticNetwork,
  makeTimeServers,
  quoteScriptWord,
  renderImagePart,
} from './image-files.ts';
import { callbackUrl, hostOf, keyOfRepository, type RunFacts, seedUrl } from './run-facts.ts';
import { except, fillTemplate, readTemplate } from './template.ts';
import { makeStorageActions } from './ubuntu-storage.ts';
import type { AnswerFileWriter } from './writer.ts';
import { fillYamlTemplate, type YamlMap } from './yaml-template.ts';

/** The seed of the live system's cloud-init, the answer file first, and the scripts that it fetches. */
export const ubuntuFileNames = [
  'user-data',
  'meta-data',
  'vendor-data',
  'network-config',
  'early.sh',
  'late.sh',
  'target.sh',
  'error.sh',
] as const;
export type UbuntuFiles = Readonly<Record<(typeof ubuntuFileNames)[number], string>>;
type UbuntuPlan = PlanOf<'ubuntu', 'iso'>;

/** The texts of `autoinstall/`. */
export async function loadUbuntuTemplates(): Promise<UbuntuFiles> {
  const entries = ubuntuFileNames.map(async (name) => {
    return [name, await readTemplate(`autoinstall/${name.endsWith('.sh') ? name : `${name}.yaml`}`)] as const;
  });
  return Object.fromEntries(await Promise.all(entries)) as UbuntuFiles;
}

/**
 * Everything that Ubuntu's installer is told. Pure.
 *
 * @throws KvmimgError `answer-file-value` for a value that the format cannot carry.
 */
export function renderUbuntuAnswerFile(anyPlan: Plan, run: RunFacts, templates: UbuntuFiles): UbuntuFiles {
  const plan = planOf(anyPlan, 'ubuntu', 'iso');
  return {
    ...templates,
    'user-data': fillYamlTemplate(templates['user-data'], userDataValues(plan, run)),
    'early.sh': fillScript(templates['early.sh'], {
      callbackUrl: callbackUrl(run),
      syslogHost: hostOf(run),
      syslogPort: String(run.syslogPort),
    }),
    'late.sh': renderLateScript(plan, run, templates['late.sh']),
    'target.sh': renderTargetScript(plan, templates['target.sh']),
    'error.sh': fillScript(templates['error.sh'], { callbackUrl: callbackUrl(run) }),
  };
}

function userDataValues(plan: UbuntuPlan, run: RunFacts): YamlMap {
  const { recipe, distro } = plan;
  const keyboard = splitKeyboard(recipe.keyboard);
  return {
    callbackUrl: callbackUrl(run),
    seedUrl: seedUrl(run),
    locale: recipe.locale,
    keyboardLayout: keyboard.layout,
    keyboardVariant: keyboard.variant,
    // UTC is the server's default, and the lists of time zones of some installers do not have it by this name.
    timezone: recipe.timezone === 'Etc/UTC' ? undefined : recipe.timezone,
    kernelPackage: distro.kernelPackage,
    mirrorUrl: `${run.guestRoot}/ubuntu`,
    securityUrl: `${run.guestRoot}/ubuntu-security`,
    sources: recipe.repositories.length === 0 ? undefined : makeInstallSources(plan, run),
    storage: makeStorageActions(makeDiskLayout(plan), recipe.firmware),
    packages: ubuntuPackages(plan),
    releaseSections: distro.autoinstall,
  };
}

/**
 * The recipe's repositories for the time of the install. curtin has no safe place for their keys in every release: it
 * trusts them for all sources, so late.sh replaces both.
 */
function makeInstallSources({ recipe, distro }: UbuntuPlan, run: RunFacts): YamlMap {
  const entries = recipe.repositories.map((repository) => {
    const { name, suite = distro.codename, components } = repository;
    const parts = suite.endsWith('/') ? [] : components;
    const source = ['deb', `${run.guestRoot}/repository-${name}`, suite, ...parts].join(' ');
    return [`kvmimg-${name}.list`, { source, key: keyOfRepository(repository, run) }] as const;
  });
  return Object.fromEntries(entries);
}

/** Everything to be installed beyond the minimal server, each once. */
export function ubuntuPackages({ recipe, distro }: Pick<Plan, 'recipe' | 'distro'>): readonly string[] {
  return [
    ...new Set([
      ...distro.packages,
      ...(recipe.locale === 'C.UTF-8' ? [] : ['locales']),
      ...(recipe.disk.filesystem === 'xfs' ? ['xfsprogs'] : []),
      ...(recipe.disk.layout === 'lvm' ? ['lvm2'] : []),
      ...(recipe.ntp.length === 0 ? [] : ['systemd-timesyncd']),
      ...recipe.packages,
    ]),
  ];
}

function renderLateScript(plan: UbuntuPlan, run: RunFacts, template: string): string {
  const { recipe, distro } = plan;
  const imageParts = imagePartsOf(plan, run).map((part) => renderImagePart(part));
  const quoted = {
    callbackUrl: callbackUrl(run),
    seedUrl: seedUrl(run),
    mirrorUrl: `${run.guestRoot}/ubuntu`,
    securityUrl: `${run.guestRoot}/ubuntu-security`,
    codename: distro.codename,
    hostname: recipe.hostname,
    hostPrivateKey: run.hostKey.privateKey.trimEnd(),
    hostPublicKey: run.hostKey.publicKey,
    buildUser: buildUserName,
    buildUserKey: run.buildUserKey,
    grubSettings: makeGrubSettings(recipe.kernelArguments, recipe.arch),
  };
  // Its lines are quoted already.
  const values = { ...quoted, imageParts: imageParts.join('\n') };
  return fillTemplate(template, values, except(['imageParts'], quoteScriptWord));
}

/** What the recipe asks for beyond what late.sh always does. */
function imagePartsOf({ recipe, distro }: UbuntuPlan, run: RunFacts): readonly ImagePart[] {
  return [
    ...recipe.repositories.map((repository): ImagePart => {
      const url = `${run.guestRoot}/repository-${repository.name}`;
      const { sourcePath, source, keyPath } = makeAptSource(repository, url, distro.codename);
      const key = keyOfRepository(repository, run).trimEnd();
      const files = [
        { path: keyPath, mode: '644' as const, content: key },
        { path: sourcePath, mode: '644' as const, content: source },
      ];
      return { title: `repository ${repository.name}: the seal writes its own address`, files, units: [] };
    }),
    // In the place of late.sh's own file, and in effect at the same times.
    ...(recipe.network === 'dhcp' ? [] : [makeStaticNetwork(recipe.network, '/usr/lib/kvmimg/90-kvmimg-dhcp.network')]),
    ...(recipe.ntp.length > 0 ? [makeTimeServers(recipe.ntp)] : []),
    ...(recipe.disk.layout === 'lvm' ? [lvmGrowth] : []),
  ];
}

function renderTargetScript({ recipe, distro }: UbuntuPlan, template: string): string {
  const boot = bootLoaders[recipe.arch];
  return fillScript(template, {
    locale: recipe.locale,
    timezone: recipe.timezone,
    buildUser: buildUserName,
    bootPackages: (distro.archPackages[recipe.arch] ?? []).join(' '),
    bootTarget: boot.target,
    bootSuffix: boot.suffix,
  });
}

const bootLoaders: Readonly<
  Record<Arch, { readonly target: string; readonly suffix: string; readonly console: string }>
> = {
  amd64: { target: 'x86_64-efi', suffix: 'x64', console: 'ttyS0' },
  arm64: { target: 'arm64-efi', suffix: 'aa64', console: 'ttyAMA0' },
};

/** On arm64 the firmware's console is the serial port; GRUB has no driver of its own for it. */
const grubTerminals: Readonly<Record<Arch, readonly string[]>> = {
  amd64: ['GRUB_TERMINAL="console serial"', 'GRUB_SERIAL_COMMAND="serial --unit=0 --speed=115200"'],
  arm64: ['GRUB_TERMINAL=console'],
};

/** A file of /etc/default/grub.d, a shell script. */
function makeGrubSettings(kernelArguments: readonly string[], arch: Arch): string {
  const all = [...kernelArguments, 'console=tty0', `console=${bootLoaders[arch].console},115200`];
  return [
    'GRUB_TIMEOUT=1',
    'GRUB_TIMEOUT_STYLE=menu',
    'GRUB_RECORDFAIL_TIMEOUT=1',
    'GRUB_CMDLINE_LINUX_DEFAULT=""',
    `GRUB_CMDLINE_LINUX="${all.join(' ')}"`,
    ...grubTerminals[arch],
    'GRUB_DISABLE_OS_PROBER=true',
  ].join('\n');
}

function fillScript(template: string, values: Readonly<Record<string, string>>): string {
  return fillTemplate(template, values, quoteScriptWord);
}

/**
 * The installer's kernel arguments, then `---`, behind which curtin would hand them on to the image (late.sh writes the
 * image's own). cloud-init puts the names of its files behind the final slash.
 *
 * @param machineArguments what the machine wants of the installer's kernel, such as those that make emulation faster.
 */
export function ubuntuKernelArguments(
  plan: Plan,
  run: RunFacts,
  machineArguments: readonly string[] = [],
): readonly string[] {
  return [
    // Without it the installer asks on the console whether to go on.
    'autoinstall',
    // `nocloud-net` is deprecated since cloud-init 24.1; each release takes this one for HTTP too.
    `ds=nocloud;s=${seedUrl(run)}/`,
    `console=${bootLoaders[plan.recipe.arch].console}`,
    // Would read the whole ISO for its checksums: kvmimg has.
    'fsck.mode=skip',
    // Nobody is there to take the disc out.
    'noprompt',
    ...plan.distro.kernelArguments,
    ...machineArguments,
    '---',
  ];
}

export const ubuntuWriter: AnswerFileWriter = {
  fileNames: ubuntuFileNames,
  loadTemplates: loadUbuntuTemplates,
  render: (plan, run, templates) => renderUbuntuAnswerFile(plan, run, templates as UbuntuFiles),
  kernelArguments: ubuntuKernelArguments,
};
