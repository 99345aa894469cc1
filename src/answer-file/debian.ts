import { buildUserName, diskSerial, type Plan, udebSuite } from '../plan/plan.ts';
import { planOf } from '../plan/plan-of.ts';
import { quoteShellWord } from '../process/quote-command.ts';
import { splitKeyboard } from './keyboard.ts';
import { quoteDebconf } from './quote-debconf.ts';
import { callbackUrl, hostOf, type RunFacts, seedUrl } from './run-facts.ts';
import { fillTemplate, type Quote, readTemplate } from './template.ts';
import type { AnswerFileWriter } from './writer.ts';

/** The answer file and the scripts that it fetches, by the name they are served under. */
export const debianFileNames = ['preseed.cfg', 'early.sh', 'pkgdetails.sh', 'base.sh', 'late.sh'] as const;
export type DebianFiles = Readonly<Record<(typeof debianFileNames)[number], string>>;

/** The texts of `preseed/`. */
export async function loadDebianTemplates(): Promise<DebianFiles> {
  const read = (name: string): Promise<string> => readTemplate(`preseed/${name}`);
  const [preseed, early, pkgdetails, base, late] = await Promise.all([
    read('debian.cfg'),
    read('early.sh'),
    read('pkgdetails.sh'),
    read('base.sh'),
    read('late.sh'),
  ]);
  return { 'preseed.cfg': preseed, 'early.sh': early, 'pkgdetails.sh': pkgdetails, 'base.sh': base, 'late.sh': late };
}

/**
 * Everything that Debian's installer is told. Pure.
 *
 * @throws KvmimgError `answer-file-value` for a value that the format cannot carry.
 */
export function renderDebianAnswerFile(anyPlan: Plan, run: RunFacts, templates: DebianFiles): DebianFiles {
  const { recipe, distro, media } = planOf(anyPlan, 'debian', 'netboot');
  const fill = (name: keyof DebianFiles, quote: Quote, values: Readonly<Record<string, string>>): string =>
    fillTemplate(templates[name], values, quote);
  const keyboard = splitKeyboard(recipe.keyboard);
  const urls = { seedUrl: seedUrl(run), callbackUrl: callbackUrl(run) };
  const [host = '', ...folders] = run.guestRoot.replace('http://', '').split('/');
  const root = folders.map((folder) => `/${folder}`).join('');
  const mirrors = {
    mirrorUrl: `${run.guestRoot}/debian`,
    securityUrl: `${run.guestRoot}/debian-security`,
    codename: distro.codename,
  };
  return {
    'preseed.cfg': fill('preseed.cfg', quoteDebconf, {
      ...urls,
      mirrorHost: host,
      mirrorPath: `${root}/debian`,
      securityHost: host,
      securityPath: `${root}/debian-security`,
      udebSuite: media.lock.udebs.length > 0 ? udebSuite : distro.codename,
      codename: distro.codename,
      timezone: recipe.timezone,
      packages: debianPackages(anyPlan).join(' '),
    }),
    'early.sh': fill('early.sh', quoteShellWord, { ...urls, diskSerial }),
    'pkgdetails.sh': fill('pkgdetails.sh', quoteShellWord, { basePackages: distro.basePackages.join(' ') }),
    'base.sh': fill('base.sh', quoteShellWord, {
      ...mirrors,
      callbackUrl: urls.callbackUrl,
      hostPrivateKey: run.hostKey.privateKey.trimEnd(),
      hostPublicKey: run.hostKey.publicKey,
      keyboardLayout: keyboard.layout,
      keyboardVariant: keyboard.variant,
    }),
    'late.sh': fill('late.sh', quoteShellWord, {
      callbackUrl: urls.callbackUrl,
      buildUser: buildUserName,
      buildUserKey: run.buildUserKey,
      locale: recipe.locale,
      kernelArguments: recipe.kernelArguments.join(' '),
    }),
  };
}

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
    'console=ttyS0',
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
      ...recipe.packages,
    ]),
  ];
}

export const debianWriter: AnswerFileWriter = {
  fileNames: debianFileNames,
  loadTemplates: loadDebianTemplates,
  render: (plan, run, templates) => renderDebianAnswerFile(plan, run, templates as DebianFiles),
  kernelArguments: debianKernelArguments,
};
