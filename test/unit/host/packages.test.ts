import { utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseOsRelease } from '../../../src/host/os-release.ts';
import { needsPackageUpdate } from '../../../src/host/package-lists.ts';
import {
  describePackageCommand,
  findPackages,
  type HostTool,
  makeInstallCommand,
  makeUpdateCommand,
  type PackageManager,
} from '../../../src/host/packages.ts';
import { type FakeHost, makeFakeHost } from './fake-host.ts';

describe('findPackages', () => {
  it.each<[string, PackageManager, HostTool, string[]]>([
    ['ID=debian', 'apt-get', 'qemu-amd64', ['qemu-system-x86']],
    ['ID=debian', 'apt-get', 'firmware-arm64', ['qemu-efi-aarch64']],
    ['ID=fedora', 'dnf', 'qemu-amd64', ['qemu-system-x86-core']],
    ['ID=rocky\nID_LIKE="rhel centos fedora"', 'dnf', 'qemu-amd64', ['qemu-kvm-core']],
    ['ID=rhel\nID_LIKE=fedora', 'dnf', 'qemu-amd64', ['qemu-kvm-core']],
    ['ID=opensuse-leap', 'zypper', 'firmware-amd64', ['qemu-ovmf-x86_64']],
    ['ID=arch', 'pacman', 'ssh', ['openssh']],
    ['ID=macos', 'brew', 'qemu-img', ['qemu']],
    ['ID=macos', 'brew', 'setpriv', []],
  ])('%s by %s: %s', (osRelease, packageManager, tool, names) => {
    expect(findPackages(tool, { os: parseOsRelease(osRelease, 'linux'), packageManager })).toEqual(names);
  });
});

describe('package commands', () => {
  it.each<[PackageManager, string]>([
    ['apt-get', 'sudo apt-get install -y --no-install-recommends a b'],
    ['dnf', 'sudo dnf install -y --setopt=install_weak_deps=False a b'],
    ['zypper', 'sudo zypper --non-interactive install --no-recommends a b'],
    ['pacman', 'sudo pacman -S --needed --noconfirm a b'],
    ['brew', 'brew install a b'],
  ])('%s installs by a command that a person can paste', (manager, line) => {
    const command = makeInstallCommand(manager, ['a', 'b']);
    expect(describePackageCommand(command, false)).toBe(line);
    expect(describePackageCommand(command, true)).toBe(line.replace('sudo ', ''));
  });

  it('asks apt-get for no answers and waits for another apt', () => {
    expect(makeInstallCommand('apt-get', ['a'])).toMatchObject({
      args: ['-o', 'DPkg::Lock::Timeout=120', 'install', '-y', '--no-install-recommends', 'a'],
      env: { DEBIAN_FRONTEND: 'noninteractive' },
    });
    expect(makeUpdateCommand('apt-get')).toMatchObject({ args: ['update'] });
    expect(makeUpdateCommand('dnf')).toBeUndefined();
  });
});

describe('needsPackageUpdate', () => {
  let host: FakeHost;
  beforeEach(async () => {
    host = await makeFakeHost();
  });
  afterEach(() => host.remove());

  it('is so where there are no lists, and not where they were just written', async () => {
    expect(await needsPackageUpdate('apt-get', host.source)).toBe(true);
    await host.writeFile('var/lib/apt/lists/lock', '');
    expect(await needsPackageUpdate('apt-get', host.source)).toBe(true);
    const list = 'var/lib/apt/lists/mirror_debian_dists_trixie_main_binary-amd64_Packages.lz4';
    await host.writeFile(list, '');
    // apt gives its lists the mirror's date.
    await utimes(join(host.root, list), 0, 0);
    expect(await needsPackageUpdate('apt-get', host.source)).toBe(false);
    expect(await needsPackageUpdate('pacman', host.source)).toBe(true);
    expect(await needsPackageUpdate('zypper', host.source)).toBe(false);
  });
});
