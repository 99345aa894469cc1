import type { HostFacts, HostSource } from '../host/facts.ts';
import { needsPackageUpdate } from '../host/package-lists.ts';
import {
  describePackageCommand,
  makeInstallCommand,
  makeUpdateCommand,
  type PackageCommand,
  type PackageManager,
} from '../host/packages.ts';
import type { Check } from './check.ts';

/** What installs packages: before it what fetches the lists of packages, where this host has none or old ones. */
export async function findInstallCommands(
  manager: PackageManager,
  packages: readonly string[],
  host: HostSource,
): Promise<readonly PackageCommand[]> {
  const update = (await needsPackageUpdate(manager, host)) ? makeUpdateCommand(manager) : undefined;
  return [...(update ? [update] : []), makeInstallCommand(manager, packages)];
}

/** The check with the command that installs its packages, if it has any. */
export async function addInstallCommand(check: Check, facts: HostFacts, host: HostSource): Promise<Check> {
  const { packages = [] } = check;
  if (check.status === 'ok' || facts.packageManager === undefined || packages.length === 0) return check;
  const commands = await findInstallCommands(facts.packageManager, packages, host);
  const command = commands.map((each) => describePackageCommand(each, facts.isRoot)).join(' && ');
  return { ...check, command };
}
