import { InputError, KvmimgError } from '../errors.ts';
import { type HostFacts, type HostSource, readHostFacts } from '../host/facts.ts';
import { describePackageCommand, type PackageCommand } from '../host/packages.ts';
import { run } from '../process/run.ts';
import type { Check } from './check.ts';
import { findInstallCommands } from './install-commands.ts';

export interface FixOptions {
  readonly host: HostSource;
  /** Install without asking. */
  readonly yes: boolean;
  /** Asks a person; undefined where there is no terminal. */
  readonly ask: ((question: string) => Promise<boolean>) | undefined;
  /** Called with each command just before it runs, as a person would type it. */
  readonly onCommand: (command: string) => void;
  readonly signal: AbortSignal;
}

export type FixOutcome = 'installed' | 'declined' | 'nothing to install';

const limitMs = 20 * 60_000;

/**
 * Installs the packages that the checks miss, by the host's package manager, with the person's consent.
 *
 * @throws InputError when there is neither consent nor a terminal to ask on; KvmimgError `needs-root` with the command
 *   to run, `no-package-manager`, `program-failed` with the package manager's last lines.
 */
export async function fixHost(checks: readonly Check[], options: FixOptions): Promise<FixOutcome> {
  const curable = checks.filter((check) => check.status !== 'ok' && check.packages !== undefined);
  if (curable.length === 0) return 'nothing to install';
  const facts = await readHostFacts(options.host);
  const packages = [...new Set(curable.flatMap((check) => check.packages ?? []))];
  if (facts.packageManager === undefined && curable.some((check) => check.status === 'missing'))
    throw noManager(curable);
  if (facts.packageManager === undefined || packages.length === 0) return 'nothing to install';
  const commands = await findInstallCommands(facts.packageManager, packages, options.host);
  const described = commands.map((command) => describePackageCommand(command, facts.isRoot));
  if (commands.some((command) => command.needsRoot) && !facts.isRoot && facts.sudo === undefined)
    throw noRoot(described);
  if (!(await hasConsent(described, options))) return 'declined';
  for (const [index, command] of commands.entries()) {
    options.onCommand(described[index] ?? '');
    await runPackageCommand(command, facts, options);
  }
  return 'installed';
}

async function hasConsent(described: readonly string[], options: FixOptions): Promise<boolean> {
  if (options.yes) return true;
  if (options.ask) return options.ask(`Run ${described.join(' && ')}?`);
  throw new InputError([
    {
      place: '--fix',
      message: 'installing needs your consent, and there is no terminal to ask on',
      hint: 'Add --yes to install without a question.',
    },
  ]);
}

/** sudo asks for its password on the terminal itself; without one it must not wait for it. */
async function runPackageCommand(command: PackageCommand, facts: HostFacts, options: FixOptions): Promise<void> {
  const { program, args, env } = command;
  const path = options.host.env.PATH;
  const runOptions = {
    timeoutMs: limitMs,
    signal: options.signal,
    ...(path === undefined ? {} : { env: { PATH: path, ...env } }),
  };
  if (!command.needsRoot || facts.isRoot || facts.sudo === undefined) {
    await run(program, args, runOptions);
    return;
  }
  const assignments = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  const sudoArgs = [...(options.ask ? [] : ['-n']), '--', 'env', ...assignments, program, ...args];
  await run(facts.sudo, sudoArgs, runOptions);
}

function noManager(curable: readonly Check[]): KvmimgError {
  const items = curable.map((check) => check.item);
  return new KvmimgError({
    code: 'no-package-manager',
    message: 'This host has none of the package managers that kvmimg knows: apt-get, dnf, zypper, pacman, brew.',
    hint: `See to these yourself: ${items.join(', ')}.`,
  });
}

function noRoot(described: readonly string[]): KvmimgError {
  return new KvmimgError({
    code: 'needs-root',
    message: 'Installing packages needs root, and there is no sudo.',
    hint: `As root, run: ${described.map((line) => line.replace(/^sudo /, '')).join(' && ')}`,
  });
}
