import { quoteCommand } from '../process/quote-command.ts';
import type { OperatingSystem } from './os-release.ts';
import { findProgram } from './programs.ts';

export const packageManagers = ['apt-get', 'dnf', 'zypper', 'pacman', 'brew'] as const;
export type PackageManager = (typeof packageManagers)[number];

/** Names differ by package manager, and dnf's by whether the host is Enterprise Linux. */
type PackageSource = PackageManager | 'dnf-el';

/** What a build needs from the host. ROMs: the BIOS, the display's, and the loader of `-kernel`. */
export type HostTool =
  | 'qemu-amd64'
  | 'qemu-arm64'
  | 'roms'
  | 'qemu-img'
  | 'firmware-amd64'
  | 'firmware-arm64'
  | 'ssh'
  | 'setpriv';

/** The packages that bring each tool. None: it cannot be had from there. */
const packages: Record<HostTool, Record<PackageSource, readonly string[]>> = {
  'qemu-amd64': {
    'apt-get': ['qemu-system-x86'],
    dnf: ['qemu-system-x86-core'],
    'dnf-el': ['qemu-kvm-core'],
    zypper: ['qemu-x86'],
    pacman: ['qemu-system-x86'],
    brew: ['qemu'],
  },
  'qemu-arm64': {
    'apt-get': ['qemu-system-arm'],
    dnf: ['qemu-system-aarch64-core'],
    'dnf-el': ['qemu-kvm-core'],
    zypper: ['qemu-arm'],
    pacman: ['qemu-system-aarch64'],
    brew: ['qemu'],
  },
  roms: {
    'apt-get': ['seabios', 'qemu-system-data'],
    dnf: ['seabios-bin', 'seavgabios-bin', 'qemu-common'],
    'dnf-el': ['seabios-bin', 'seavgabios-bin', 'qemu-kvm-common'],
    zypper: ['qemu-seabios', 'qemu-vgabios', 'qemu-x86'],
    pacman: ['seabios', 'qemu-system-x86-firmware', 'qemu-common'],
    brew: ['qemu'],
  },
  'qemu-img': {
    'apt-get': ['qemu-utils'],
    dnf: ['qemu-img'],
    'dnf-el': ['qemu-img'],
    zypper: ['qemu-tools'],
    pacman: ['qemu-img'],
    brew: ['qemu'],
  },
  'firmware-amd64': {
    'apt-get': ['ovmf'],
    dnf: ['edk2-ovmf'],
    'dnf-el': ['edk2-ovmf'],
    zypper: ['qemu-ovmf-x86_64'],
    pacman: ['edk2-ovmf'],
    brew: ['qemu'],
  },
  'firmware-arm64': {
    'apt-get': ['qemu-efi-aarch64'],
    dnf: ['edk2-aarch64'],
    'dnf-el': ['edk2-aarch64'],
    zypper: ['qemu-uefi-aarch64'],
    pacman: ['edk2-aarch64'],
    brew: ['qemu'],
  },
  ssh: {
    'apt-get': ['openssh-client'],
    dnf: ['openssh-clients'],
    'dnf-el': ['openssh-clients'],
    zypper: ['openssh-clients'],
    pacman: ['openssh'],
    brew: ['openssh'],
  },
  setpriv: {
    'apt-get': ['util-linux'],
    dnf: ['util-linux'],
    'dnf-el': ['util-linux'],
    zypper: ['util-linux'],
    pacman: ['util-linux'],
    brew: [],
  },
};

const managerOfFamily: Readonly<Record<string, PackageManager>> = {
  debian: 'apt-get',
  ubuntu: 'apt-get',
  fedora: 'dnf',
  rhel: 'dnf',
  suse: 'zypper',
  opensuse: 'zypper',
  arch: 'pacman',
  macos: 'brew',
};

/** The host's own package manager: the one of its family, else the first on the PATH. */
export async function findPackageManager(
  os: OperatingSystem,
  env: Readonly<Record<string, string | undefined>>,
): Promise<PackageManager | undefined> {
  const own = [os.id, ...os.idLike].map((family) => managerOfFamily[family]);
  for (const manager of [...own, ...packageManagers]) {
    if (manager !== undefined && (await findProgram(manager, env)) !== undefined) return manager;
  }
  return undefined;
}

/** The packages that bring `tool` on this host; none when its package manager has none, or there is no manager. */
export function findPackages(
  tool: HostTool,
  host: { readonly os: OperatingSystem; readonly packageManager: PackageManager | undefined },
): readonly string[] {
  if (host.packageManager === undefined) return [];
  const isEnterprise = host.packageManager === 'dnf' && [host.os.id, ...host.os.idLike].includes('rhel');
  return packages[tool][isEnterprise ? 'dnf-el' : host.packageManager];
}

/** A command of a package manager, before it is decided who runs it. */
export interface PackageCommand {
  readonly program: PackageManager;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly needsRoot: boolean;
}

const noQuestions = { DEBIAN_FRONTEND: 'noninteractive' };
/** Another apt may be at work, as unattended-upgrades is after boot. */
export const aptLockWait = ['-o', 'DPkg::Lock::Timeout=120'];

/** Installs without questions and without what is only recommended. */
export function makeInstallCommand(program: PackageManager, names: readonly string[]): PackageCommand {
  const args = {
    'apt-get': [...aptLockWait, 'install', '-y', '--no-install-recommends', ...names],
    dnf: ['install', '-y', '--setopt=install_weak_deps=False', ...names],
    zypper: ['--non-interactive', 'install', '--no-recommends', ...names],
    pacman: ['-S', '--needed', '--noconfirm', ...names],
    brew: ['install', ...names],
  }[program];
  return { program, args, env: program === 'apt-get' ? noQuestions : {}, needsRoot: program !== 'brew' };
}

/** Fetches the list of packages anew; undefined for managers that do so by themselves. */
export function makeUpdateCommand(program: PackageManager): PackageCommand | undefined {
  if (program === 'apt-get') return { program, args: ['update'], env: noQuestions, needsRoot: true };
  if (program === 'pacman') return { program, args: ['-Sy', '--noconfirm'], env: {}, needsRoot: true };
  return undefined;
}

/** The command as a person types it. */
export function describePackageCommand(command: PackageCommand, isRoot: boolean): string {
  const args = command.args.filter((arg) => !aptLockWait.includes(arg));
  return `${command.needsRoot && !isRoot ? 'sudo ' : ''}${quoteCommand(command.program, args)}`;
}
