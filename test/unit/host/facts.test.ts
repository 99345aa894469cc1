import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type HostFacts, readHostFacts } from '../../../src/host/facts.ts';
import { readFolderFacts } from '../../../src/host/folder-facts.ts';
import { readMemory } from '../../../src/host/memory.ts';
import { parseOsRelease } from '../../../src/host/os-release.ts';
import {
  checkPrograms,
  findQemuSystem,
  findVersion,
  isVersionAtLeast,
  readVersion,
} from '../../../src/host/programs.ts';
import { debian12, type FakeHost, makeFakeHost } from './fake-host.ts';

let host: FakeHost;
beforeEach(async () => {
  host = await makeFakeHost();
});
afterEach(() => host.remove());

describe('parseOsRelease', () => {
  it.each([
    [
      'double quotes',
      'ID="rocky"\nID_LIKE="rhel centos fedora"\nVERSION_ID="9.6"\nPRETTY_NAME="Rocky Linux 9.6"',
      'Rocky Linux 9.6',
    ],
    [
      'single quotes and spaces',
      "ID=rocky\nID_LIKE='rhel centos fedora'\n VERSION_ID='9.6' \nPRETTY_NAME='Rocky'",
      'Rocky',
    ],
    [
      'escapes and comments',
      '# a comment\nID=rocky\nID_LIKE="rhel centos fedora"\nVERSION_ID=9.6\nPRETTY_NAME="A \\"B\\" \\$C"',
      'A "B" $C',
    ],
  ])('reads %s', (_, text, title) => {
    const idLike = ['rhel', 'centos', 'fedora'];
    expect(parseOsRelease(text, 'linux')).toEqual({ platform: 'linux', id: 'rocky', idLike, version: '9.6', title });
  });

  it('takes what the manual says where there is nothing', () => {
    expect(parseOsRelease('', 'linux')).toMatchObject({ id: 'linux', idLike: [], version: '', title: 'Linux' });
  });
});

describe('readMemory', () => {
  const meminfo = 'MemTotal:       8388608 kB\nMemFree:         100 kB\nMemAvailable:   4194304 kB\n';

  it('takes what is available, not what is free', async () => {
    await host.writeFile('proc/meminfo', meminfo);
    expect(await readMemory(host.root)).toEqual({ totalBytes: 8 * 2 ** 30, availableBytes: 4 * 2 ** 30 });
  });

  it.each([
    ['v2', 'sys/fs/cgroup/memory.max', `${2 ** 30}\n`, 2 ** 30],
    ['v2 without a limit', 'sys/fs/cgroup/memory.max', 'max\n', 4 * 2 ** 30],
    ['v1', 'sys/fs/cgroup/memory/memory.limit_in_bytes', `${2 ** 30}\n`, 2 ** 30],
  ])('keeps to the limit of a container: cgroup %s', async (_, file, content, availableBytes) => {
    await host.writeFile('proc/meminfo', meminfo);
    await host.writeFile(file, content);
    expect((await readMemory(host.root)).availableBytes).toBe(availableBytes);
  });

  it('knows something about this host too', async () => {
    const { totalBytes, availableBytes } = await readMemory();
    expect(totalBytes).toBeGreaterThanOrEqual(availableBytes);
    expect(availableBytes).toBeGreaterThan(0);
  });
});

describe('readFolderFacts', () => {
  it.skipIf(process.platform !== 'linux')(
    'knows file systems that hold no files, wherever root may write',
    async () => {
      expect((await readFolderFacts('/proc/x')).obstacle).toMatch(/^\/proc (may not be written|is on a file system)/);
    },
  );

  it('answers for a folder that is not there yet, by its nearest parent', async () => {
    const path = `${host.root}/a/b/c`;
    const { fileSystem, freeBytes } = await readFolderFacts(host.root);
    expect(freeBytes).toBeGreaterThan(0);
    expect(await readFolderFacts(path)).toMatchObject({ path, obstacle: undefined, fileSystem });
  });

  it('says that below a file nothing can be written', async () => {
    await host.writeFile('file', '');
    const facts = await readFolderFacts(`${host.root}/file/out`);
    expect(facts.obstacle).toBe(`${host.root}/file is not a folder`);
  });

  it('says what the system says of a path that cannot be', async () => {
    expect((await readFolderFacts(`${host.root}/${'x'.repeat(300)}`)).obstacle).toContain('ENAMETOOLONG');
  });
});

describe('readHostFacts', () => {
  it.each<[string, string, string[], HostFacts['packageManager']]>([
    ['Debian', 'ID=debian', ['apt-get', 'brew'], 'apt-get'],
    ['a derivative by its kin', 'ID=linuxmint\nID_LIKE="ubuntu debian"', ['dnf', 'apt-get'], 'apt-get'],
    ['Fedora with apt installed', 'ID=fedora', ['apt-get', 'dnf'], 'dnf'],
    ['openSUSE', 'ID="opensuse-tumbleweed"\nID_LIKE="opensuse suse"', ['zypper'], 'zypper'],
    ['Arch', 'ID=arch', ['pacman'], 'pacman'],
    ['an unknown one by what is there', 'ID=lfs', ['brew'], 'brew'],
    ['none', 'ID=lfs', [], undefined],
  ])('finds the package manager of %s', async (_, osRelease, programs, packageManager) => {
    await host.writeFile('etc/os-release', osRelease);
    for (const program of programs) await host.writeProgram(program, '');
    expect(await readHostFacts(host.source)).toMatchObject({ packageManager, isRoot: false, sudo: undefined });
  });

  it('tells root, sudo and the operating system', async () => {
    await host.writeFile('usr/lib/os-release', debian12);
    await host.writeProgram('sudo', '');
    expect(await readHostFacts({ ...host.source, userId: 0 })).toMatchObject({
      os: { id: 'debian', version: '12', title: 'Debian GNU/Linux 12 (bookworm)' },
      isRoot: true,
      sudo: `${host.bin}/sudo`,
    });
    const mac = await readHostFacts({ ...host.source, platform: 'darwin' });
    expect(mac.os).toMatchObject({ platform: 'darwin', id: 'macos' });
  });
});

describe('checkPrograms', () => {
  it('tells of the first that is missing', async () => {
    await host.writeProgram('qemu-img', '');
    await checkPrograms(['sh', 'qemu-img'], host.source.env);
    await expect(checkPrograms(['sh', 'qemu-img', 'ssh'], host.source.env)).rejects.toMatchObject({
      code: 'program-missing',
      message: 'The program ssh is not installed, or not on the PATH.',
    });
  });
});

describe('findQemuSystem', () => {
  it('takes the one on the PATH, and for its own architecture the one of Enterprise Linux', async () => {
    expect(await findQemuSystem('amd64', host.source)).toBeUndefined();
    await host.writeProgram('usr/libexec/qemu-kvm', '');
    expect(await findQemuSystem('amd64', host.source)).toBe(`${host.root}/usr/libexec/qemu-kvm`);
    expect(await findQemuSystem('arm64', host.source)).toBeUndefined();
    await host.writeProgram('qemu-system-x86_64', '');
    expect(await findQemuSystem('amd64', host.source)).toBe(`${host.bin}/qemu-system-x86_64`);
  });
});

describe('versions', () => {
  it.each([
    ['QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18+b3)', '7.2.22'],
    ['QEMU emulator version 9.1.50 (v9.1.0-200-gabc)', '9.1.50'],
    ['qemu-img version 6.2.0 (qemu-6.2.0-11.module)', '6.2.0'],
    ['OpenSSH_9.2p1 Debian-2+deb12u5, OpenSSL 3.0.15', '9.2p1'],
    ['command not understood', undefined],
  ])('are found in %s', (text, version) => expect(findVersion(text)).toBe(version));

  it.each([
    ['7.2.22', '7.1', true],
    ['7.1', '7.1', true],
    ['10.0', '7.1', true],
    ['7.0.90', '7.1', false],
    ['6', '6.2', false],
  ])('%s is at least %s: %s', (version, minimum, result) => expect(isVersionAtLeast(version, minimum)).toBe(result));

  it('are read from standard output or standard error, and not from a program that fails', async () => {
    await host.writeProgram('ssh', 'echo OpenSSH_9.2p1 >&2');
    await host.writeProgram('broken', 'echo 1.2.3; exit 3');
    expect(await readVersion(`${host.bin}/ssh`, ['-V'])).toBe('9.2p1');
    expect(await readVersion(`${host.bin}/broken`, [])).toBeUndefined();
  });
});
