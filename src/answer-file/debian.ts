import { buildUserName, diskSerial, type Plan, udebSuite } from '../plan/plan.ts';
import { type PlanOf, planOf } from '../plan/plan-of.ts';
import { splitKeyboard } from '../recipe/keyboard.ts';
import type { Arch } from '../recipe/schema.ts';
import { makeAptSource } from './apt-source.ts';
import { diskPackages, makePartmanRecipe, partmanMethod } from './debian-disk.ts';
import { makeDiskLayout, volumeGroup } from './disk-layout.ts';
import {
  type ImagePart,
  lvmGrowth,
  makeStaticNetwork,
  makeTimeServers,
  quoteScriptWord,
  renderImagePart,
} from './image-files.ts';
import { quoteDebconf } from './quote-debconf.ts';
import { callbackUrl, hostOf, keyOfRepository, type RunFacts, seedUrl } from './run-facts.ts';
import { except, fillTemplate, type Quote, readTemplate } from './template.ts';
import type { AnswerFileWriter } from './writer.ts';

/** The answer file and the scripts that it fetches, by the name they are served under. */
export const debianFileNames = ['preseed.cfg', 'early.sh', 'pkgdetails.sh', 'base.sh', 'late.sh'] as const;
export type DebianFiles = Readonly<Record<(typeof debianFileNames)[number], string>>;
/** What is appended to them where the recipe asks for more than the default: `preseed/<name>`. */
const additionNames = ['lvm.cfg', 'repository.sh', 'additions.sh'] as const;
export type DebianTemplates = DebianFiles & Readonly<Record<(typeof additionNames)[number], string>>;

/** The texts of `preseed/`. */
export async function loadDebianTemplates(): Promise<DebianTemplates> {
  const entries = [...debianFileNames, ...additionNames].map(async (name) => {
    return [name, await readTemplate(`preseed/${name === 'preseed.cfg' ? 'debian.cfg' : name}`)] as const;
  });
  return Object.fromEntries(await Promise.all(entries)) as DebianTemplates;
}

type DebianPlan = PlanOf<'debian', 'netboot'>;
type Fill = (name: keyof DebianTemplates, quote: Quote, values: Readonly<Record<string, string>>) => string;

/**
 * Everything that Debian's installer is told. Pure.
 *
 * @throws KvmimgError `answer-file-value` for a value that the format cannot carry.
 */
export function renderDebianAnswerFile(anyPlan: Plan, run: RunFacts, templates: DebianTemplates): DebianFiles {
  const plan = planOf(anyPlan, 'debian', 'netboot');
  const fill: Fill = (name, quote, values) => fillTemplate(templates[name], values, quote);
  return {
    'preseed.cfg': renderPreseed(plan, run, fill),
    'early.sh': fill('early.sh', quoteScriptWord, {
      seedUrl: seedUrl(run),
      callbackUrl: callbackUrl(run),
      diskSerial,
    }),
    'pkgdetails.sh': fill('pkgdetails.sh', quoteScriptWord, { basePackages: plan.distro.basePackages.join(' ') }),
    'base.sh': renderBaseScript(plan, run, fill),
    'late.sh': renderLateScript(plan, run, fill),
  };
}

function renderPreseed(plan: DebianPlan, run: RunFacts, fill: Fill): string {
  const { recipe, distro } = plan;
  const layout = makeDiskLayout(plan);
  const [host = '', ...folders] = run.guestRoot.replace('http://', '').split('/');
  const root = folders.map((folder) => `/${folder}`).join('');
  const preseed = fill('preseed.cfg', except(['partmanRecipe'], quoteDebconf), {
    seedUrl: seedUrl(run),
    callbackUrl: callbackUrl(run),
    mirrorHost: host,
    mirrorPath: `${root}/debian`,
    securityHost: host,
    securityPath: `${root}/debian-security`,
    udebSuite,
    codename: distro.codename,
    timezone: recipe.timezone,
    packages: debianPackages(plan).join(' '),
    partmanMethod: partmanMethod(layout),
    partmanRecipe: makePartmanRecipe(layout),
  });
  return layout.layout === 'lvm' ? preseed + fill('lvm.cfg', quoteDebconf, { volumeGroup }) : preseed;
}

function renderBaseScript({ recipe, distro }: DebianPlan, run: RunFacts, fill: Fill): string {
  const keyboard = splitKeyboard(recipe.keyboard);
  const script = fill('base.sh', quoteScriptWord, {
    callbackUrl: callbackUrl(run),
    mirrorUrl: `${run.guestRoot}/debian`,
    securityUrl: `${run.guestRoot}/debian-security`,
    codename: distro.codename,
    hostPrivateKey: run.hostKey.privateKey.trimEnd(),
    hostPublicKey: run.hostKey.publicKey,
    keyboardLayout: keyboard.layout,
    keyboardVariant: keyboard.variant,
  });
  const repositories = recipe.repositories.map((repository) => {
    const url = `${run.guestRoot}/repository-${repository.name}`;
    const key = keyOfRepository(repository, run).trimEnd();
    return fill('repository.sh', quoteScriptWord, { ...makeAptSource(repository, url, distro.codename), key });
  });
  return [script, ...repositories].join('');
}

function renderLateScript(plan: DebianPlan, run: RunFacts, fill: Fill): string {
  const { recipe } = plan;
  const script = fill('late.sh', except(Object.keys(bootLoaders.amd64), quoteScriptWord), {
    callbackUrl: callbackUrl(run),
    buildUser: buildUserName,
    buildUserKey: run.buildUserKey,
    locale: recipe.locale,
    kernelArguments: recipe.kernelArguments.join(' '),
    ...bootLoaders[recipe.arch],
  });
  const parts = imageParts(plan);
  if (parts.length === 0) return script;
  return `${script}${fill('additions.sh', String, {})}${parts.map((part) => `\n${renderImagePart(part)}`).join('')}`;
}

/** What the recipe asks for beyond what late.sh always does. */
function imageParts({ recipe }: DebianPlan): readonly ImagePart[] {
  return [
    // In the place of late.sh's own file, and in effect at the same times.
    ...(recipe.network === 'dhcp' ? [] : [makeStaticNetwork(recipe.network, '/usr/lib/kvmimg/90-kvmimg-dhcp.network')]),
    ...(recipe.ntp.length > 0 ? [makeTimeServers(recipe.ntp)] : []),
    ...(recipe.disk.layout === 'lvm' ? [lvmGrowth] : []),
  ];
}

/** Lines of late.sh that depend on the architecture: ours, as they stand. */
const bootLoaders: Readonly<Record<Arch, Readonly<Record<string, string>>>> = {
  amd64: {
    serialConsole: 'ttyS0,115200',
    grubTerminal: [
      'GRUB_TERMINAL="console serial"',
      'GRUB_TERMINAL_OUTPUT="console serial"',
      'GRUB_SERIAL_COMMAND="serial --unit=0 --speed=115200"',
    ].join('\n'),
    grubInstall: [
      'disk=$(grub-probe -t disk /boot)',
      'grub-install --target=i386-pc "$disk"',
      'grub-install --target=x86_64-efi --no-nvram --uefi-secure-boot --force-extra-removable',
    ].join('\n'),
  },
  arm64: {
    serialConsole: 'ttyAMA0,115200',
    // The firmware's console is the serial port; GRUB has no driver of its own for it.
    grubTerminal: 'GRUB_TERMINAL=console',
    grubInstall: 'grub-install --target=arm64-efi --no-nvram --uefi-secure-boot --force-extra-removable',
  },
};

/**
 * The installer's kernel arguments, then `---`, then those that d-i would hand on to the image (late.sh writes the
 * image's own). Host name and domain are asked before the answer file is read, so they are here.
 *
 * @param machineArguments what the machine wants of the installer's kernel, such as those that make emulation faster.
 */
export function debianKernelArguments(
  plan: Plan,
  run: RunFacts,
  machineArguments: readonly string[] = [],
): readonly string[] {
  return [
    'auto=true',
    'priority=critical',
    `url=${seedUrl(run)}/preseed.cfg`,
    `hostname=${plan.recipe.hostname}`,
    'domain=',
    'interface=auto',
    'firmware=never',
    // The text frontend prints a question as plain lines on the console, where it is seen.
    'DEBIAN_FRONTEND=text',
    plan.recipe.arch === 'arm64' ? 'console=ttyAMA0' : 'console=ttyS0',
    `log_host=${hostOf(run)}`,
    `log_port=${run.syslogPort}`,
    // QEMU's user network has no IPv6 here; without this netcfg waits for a router.
    'ipv6.disable=1',
    ...machineArguments,
    '---',
  ];
}

/** Everything to be installed with the base system, each once. */
export function debianPackages({ recipe, distro }: Pick<Plan, 'recipe' | 'distro'>): string[] {
  return [
    ...new Set([
      ...distro.packages,
      ...(distro.archPackages[recipe.arch] ?? []),
      ...(recipe.locale === 'C.UTF-8' ? [] : ['locales']),
      ...(recipe.keyboard === 'us' ? [] : ['keyboard-configuration', 'console-setup']),
      ...diskPackages(recipe.disk),
      ...recipe.packages,
    ]),
  ];
}

export const debianWriter: AnswerFileWriter = {
  fileNames: debianFileNames,
  loadTemplates: loadDebianTemplates,
  render: (plan, run, templates) => renderDebianAnswerFile(plan, run, templates as DebianTemplates),
  kernelArguments: debianKernelArguments,
};
