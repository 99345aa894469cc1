import { buildUserName, diskSerial, type Plan } from '../plan/plan.ts';
import { quoteShellWord } from '../process/quote-command.ts';
import type { Recipe } from '../recipe/schema.ts';
import { quoteDebconf } from './quote-debconf.ts';
import { fillTemplate, type Quote, readTemplate } from './template.ts';

/** What a run of the build knows and the plan does not: addresses as the guest reaches them, and the build's keys. */
export interface DebianRunFacts {
  /** The files below are served under it: `http://10.0.2.2:PORT/TOKEN`. No final slash. */
  readonly seedUrl: string;
  /** `<callbackUrl>/early` and so on are requested at the points of the install. No final slash. */
  readonly callbackUrl: string;
  /** `10.0.2.2:PORT`, with the path of the mirror there (`/debian`). */
  readonly mirrorHost: string;
  readonly mirrorPath: string;
  readonly securityHost: string;
  readonly securityPath: string;
  /** The suite of the pinned udebs, on the same mirror. */
  readonly udebSuite: string;
  readonly syslogHost: string;
  readonly syslogPort: number;
  /** OpenSSH public key of the build's user: `ssh-ed25519 AAAA...`. */
  readonly buildUserKey: string;
  /** The guest's host key while it is built, so that the first connection is verified. */
  readonly hostKey: { readonly privateKey: string; readonly publicKey: string };
}

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
export function renderDebianAnswerFile(plan: Plan, run: DebianRunFacts, templates: DebianFiles): DebianFiles {
  const { recipe, distro } = plan;
  const fill = (name: keyof DebianFiles, quote: Quote, values: Readonly<Record<string, string>>): string =>
    fillTemplate(templates[name], values, quote);
  const { seedUrl, callbackUrl } = run;
  const mirrors = {
    mirrorUrl: `http://${run.mirrorHost}${run.mirrorPath}`,
    securityUrl: `http://${run.securityHost}${run.securityPath}`,
    codename: distro.codename,
  };
  return {
    'preseed.cfg': fill('preseed.cfg', quoteDebconf, {
      seedUrl,
      callbackUrl,
      mirrorHost: run.mirrorHost,
      mirrorPath: run.mirrorPath,
      securityHost: run.securityHost,
      securityPath: run.securityPath,
      udebSuite: run.udebSuite,
      codename: distro.codename,
      timezone: recipe.timezone,
      packages: debianPackages(plan).join(' '),
    }),
    'early.sh': fill('early.sh', quoteShellWord, { seedUrl, callbackUrl, diskSerial }),
    'pkgdetails.sh': fill('pkgdetails.sh', quoteShellWord, { basePackages: distro.basePackages.join(' ') }),
    'base.sh': fill('base.sh', quoteShellWord, {
      ...mirrors,
      callbackUrl,
      hostPrivateKey: run.hostKey.privateKey.trimEnd(),
      hostPublicKey: run.hostKey.publicKey,
      ...keyboardValues(recipe),
    }),
    'late.sh': fill('late.sh', quoteShellWord, {
      callbackUrl,
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
  run: DebianRunFacts,
  machineArguments: readonly string[] = [],
): readonly string[] {
  return [
    'auto=true',
    'priority=critical',
    `url=${run.seedUrl}/preseed.cfg`,
    `hostname=${plan.recipe.hostname}`,
    'domain=',
    'interface=auto',
    'firmware=never',
    // The text frontend prints a question as plain lines on the console, where it is seen.
    'DEBIAN_FRONTEND=text',
    'console=ttyS0',
    `log_host=${run.syslogHost}`,
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

/** `de(nodeadkeys)` is layout `de`, variant `nodeadkeys`. */
function keyboardValues({ keyboard }: Recipe): { keyboardLayout: string; keyboardVariant: string } {
  const [, layout = keyboard, variant = ''] = /^([^(]+)(?:\((.*)\))?$/.exec(keyboard) ?? [];
  return { keyboardLayout: layout, keyboardVariant: variant };
}
