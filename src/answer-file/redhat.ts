import { buildUserName, type Plan } from '../plan/plan.ts';
import { planOf } from '../plan/plan-of.ts';
import { splitKeyboard } from '../recipe/keyboard.ts';
import type { Arch } from '../recipe/schema.ts';
import { makeDiskLayout } from './disk-layout.ts';
import { type ImagePart, lvmGrowth, quoteScriptWord, renderImagePart } from './image-files.ts';
import { quoteKickstart, quoteKickstartPackage } from './quote-kickstart.ts';
import { diskOf, renderPartitions } from './redhat-disk.ts';
import { makeConnection } from './redhat-network.ts';
import { type RedhatPlan, renderRecipePackages, renderSource } from './redhat-sources.ts';
import { makeRpmRepositoryFiles } from './rpm-repository.ts';
import { callbackUrl, hostOf, type RunFacts, seedUrl } from './run-facts.ts';
import { except, fillTemplate, readTemplate } from './template.ts';
import type { AnswerFileWriter } from './writer.ts';

/** The answer file and the scripts that it fetches, by the name they are served under. */
export const redhatFileNames = ['ks.cfg', 'post.sh', 'logs.sh'] as const;
export type RedhatFiles = Readonly<Record<(typeof redhatFileNames)[number], string>>;

/** What the boot loaders and the console are called on each architecture. */
const machines = {
  amd64: { removable: 'BOOTX64.EFI', vendor: 'grubx64.efi', console: 'ttyS0', grubTerminal: 'console serial' },
  arm64: { removable: 'BOOTAA64.EFI', vendor: 'grubaa64.efi', console: 'ttyAMA0', grubTerminal: 'console' },
} as const satisfies Readonly<Record<Arch, unknown>>;

/** Drivers of disks that the initramfs must have. */
const drivers: Readonly<Record<Arch, readonly string[]>> = {
  amd64: ['virtio_scsi', 'vmw_pvscsi', 'nvme', 'ahci'],
  arm64: ['virtio_scsi', 'nvme', 'ahci'],
};

/** Not wanted in an image, where the distribution's core group or its kernel would bring them. */
const leftOut = ['dracut-config-rescue', 'firewalld', 'plymouth', 'zram-generator-defaults', 'iwl*-firmware'];

/** The texts of `kickstart/`. */
export async function loadRedhatTemplates(): Promise<RedhatFiles> {
  const names = ['redhat.ks', 'post.sh', 'logs.sh'].map((name) => readTemplate(`kickstart/${name}`));
  const [ks = '', post = '', logs = ''] = await Promise.all(names);
  return { 'ks.cfg': ks, 'post.sh': post, 'logs.sh': logs };
}

/**
 * Everything that Anaconda is told. Pure.
 *
 * @throws KvmimgError `answer-file-value` for a value that the format cannot carry.
 */
export function renderRedhatAnswerFile(anyPlan: Plan, run: RunFacts, templates: RedhatFiles): RedhatFiles {
  const plan = planOf(anyPlan, 'redhat', 'iso', 'tree');
  return {
    'ks.cfg': renderKickstart(plan, run, templates['ks.cfg']),
    'post.sh': renderPost(plan, run, templates['post.sh']),
    'logs.sh': fillTemplate(templates['logs.sh'], { callbackUrl: callbackUrl(run) }, quoteScriptWord),
  };
}

function renderKickstart(plan: RedhatPlan, run: RunFacts, template: string): string {
  const { recipe, distro } = plan;
  const layout = makeDiskLayout(plan);
  const lines = {
    source: renderSource(plan, run),
    keyboard: renderKeyboard(recipe.keyboard),
    timeSources: recipe.ntp.map((server) => `timesource --ntp-server=${quoteKickstart(server, 'ntp')}\n`).join(''),
    partitions: renderPartitions(layout),
    packages: redhatPackages(plan)
      .map((name) => quoteKickstartPackage(name, 'packages'))
      .join('\n'),
    // Fedora's installer has no addon for kdump; those of RHEL and its kin reserve memory for it unless told not to.
    addons: distro.kickstartVersion.startsWith('RHEL') ? '\n%addon com_redhat_kdump --disable\n%end\n' : '',
  };
  const words = {
    hostname: recipe.hostname,
    timezone: recipe.timezone,
    buildUser: buildUserName,
    buildUserKey: run.buildUserKey,
    disk: diskOf(layout),
    diskSerial: layout.serial,
    kernelArguments: imageArguments(plan),
    languages: languagesOf(recipe.locale).join(':'),
    callbackUrl: callbackUrl(run),
    seedUrl: seedUrl(run),
  };
  return fillTemplate(template, { ...lines, ...words }, except(Object.keys(lines), quoteKickstart));
}

function renderPost(plan: RedhatPlan, run: RunFacts, template: string): string {
  const { recipe } = plan;
  const machine = machines[recipe.arch];
  const words = {
    callbackUrl: callbackUrl(run),
    hostPrivateKey: run.hostKey.privateKey.trimEnd(),
    hostPublicKey: run.hostKey.publicKey,
    buildUser: buildUserName,
    locale: recipe.locale,
    kernelArguments: imageArguments(plan),
    removableLoader: machine.removable,
    vendorLoader: machine.vendor,
    grubTerminal: machine.grubTerminal,
    drivers: drivers[recipe.arch].join(' '),
  };
  const parts = [...makeImageParts(plan, run).map(renderImagePart), renderRecipePackages(plan, run)];
  const imageParts = parts.filter((part) => part !== '').join('\n');
  return fillTemplate(template, { ...words, imageParts }, except(['imageParts'], quoteScriptWord));
}

function makeImageParts(plan: RedhatPlan, run: RunFacts): readonly ImagePart[] {
  // No business of Anaconda, which does not check signatures: what is wanted of them is installed by dnf, which does.
  const files = makeRpmRepositoryFiles(plan, run);
  return [
    makeConnection(plan.recipe.network),
    ...(plan.recipe.disk.layout === 'lvm' ? [lvmGrowth] : []),
    ...(files.length === 0 ? [] : [{ title: 'repositories of the recipe', files, units: [] }]),
  ];
}

/** Everything to be installed with the base system, each once; with a leading `-` what is left out. */
export function redhatPackages({ recipe, distro }: Pick<Plan, 'recipe' | 'distro'>): string[] {
  const languages = languagesOf(recipe.locale).map((language) => `glibc-langpack-${language}`);
  return [
    ...new Set([
      ...distro.packages,
      ...(distro.archPackages[recipe.arch] ?? []),
      ...languages,
      // With repositories of its own they come later, with their signatures checked.
      ...(recipe.repositories.length === 0 ? recipe.packages : []),
    ]),
    ...leftOut.filter((name) => !recipe.packages.includes(name)).map((name) => `-${name}`),
  ];
}

/** English is the installer's, and what messages fall back to. */
function languagesOf(locale: string): readonly string[] {
  const language = /^[a-z]{2,3}(?=_)/.exec(locale)?.[0] ?? 'en';
  return [...new Set(['en', language])];
}

/** `de(nodeadkeys)` is `de (nodeadkeys)` to Anaconda, which finds the console's map for it. */
function renderKeyboard(keyboard: string): string {
  const { layout, variant } = splitKeyboard(keyboard);
  if (variant === '') return `--xlayouts=${quoteKickstart(layout, 'keyboard')}`;
  return `--xlayouts=${quoteKickstart(`${layout} (${variant})`, 'keyboard')}`;
}

function imageArguments({ recipe }: Pick<Plan, 'recipe'>): string {
  const { console } = machines[recipe.arch];
  return [...recipe.kernelArguments, 'console=tty0', `console=${console},115200`].join(' ');
}

/**
 * The installer's kernel arguments. Anaconda's short names (`ks=`, `stage2=`) are gone from RHEL 9 and Fedora 34 on.
 *
 * @param machineArguments what the machine wants of the installer's kernel, such as those that make emulation faster.
 */
export function redhatKernelArguments(
  anyPlan: Plan,
  run: RunFacts,
  machineArguments: readonly string[] = [],
): readonly string[] {
  const plan = planOf(anyPlan, 'redhat', 'iso', 'tree');
  return [
    `inst.ks=${seedUrl(run)}/ks.cfg`,
    findStage2(plan, run),
    'inst.text',
    // Never asks: what is missing ends the install with a message, and %onerror is run.
    'inst.cmdline',
    // Plain lines on the serial port, without tmux's drawing.
    'inst.notmux',
    // Neither logs nor answer files stay in the image.
    'inst.nosave=all',
    // By TCP, from where the installer has a syslog daemon; logs.sh sends the logs in any case.
    `inst.syslog=${hostOf(run)}:${run.syslogPort}`,
    `console=${machines[plan.recipe.arch].console}`,
    'ip=dhcp',
    ...plan.distro.kernelArguments,
    ...machineArguments,
  ];
}

function findStage2({ media }: RedhatPlan, run: RunFacts): string {
  if (media.kind === 'tree') return `inst.stage2=${run.guestRoot}/packages/${media.path}`;
  const volumeId = run.isoVolumeId ?? media.iso.volumeId;
  // dracut looks for udev's name of the label, in which a space is \x20.
  return volumeId === undefined ? 'inst.repo=cdrom' : `inst.stage2=hd:LABEL=${encodeLabel(volumeId)}`;
}

/** udev's ID_FS_LABEL_ENC: what is no letter, digit or one of #+-.:=@_ stands as \xNN for each of its bytes. */
function encodeLabel(label: string): string {
  return [...Buffer.from(label)]
    .map((byte) => String.fromCharCode(byte))
    .map((char) => (/[A-Za-z0-9#+.:=@_-]/.test(char) ? char : `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`))
    .join('');
}

export const redhatWriter: AnswerFileWriter = {
  fileNames: redhatFileNames,
  loadTemplates: loadRedhatTemplates,
  render: (plan, run, templates) => renderRedhatAnswerFile(plan, run, templates as RedhatFiles),
  kernelArguments: redhatKernelArguments,
};
