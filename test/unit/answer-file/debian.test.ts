import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  type DebianFiles,
  debianKernelArguments,
  debianPackages,
  loadDebianTemplates,
  renderDebianAnswerFile,
} from '../../../src/answer-file/debian.ts';
import { makePartmanRecipe } from '../../../src/answer-file/debian-disk.ts';
import { makeDiskLayout } from '../../../src/answer-file/disk-layout.ts';
import { makeStaticNetwork } from '../../../src/answer-file/image-files.ts';
import type { Recipe } from '../../../src/recipe/schema.ts';
import { answerRun, planForDistro } from './answer-inputs.ts';

const planFor = (settings: Partial<Record<keyof Recipe, unknown>> = {}) => planForDistro('debian-13', settings);

const repository = {
  name: 'more',
  url: 'https://repo.example.org/more',
  key: '-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmDME\n-----END PGP PUBLIC KEY BLOCK-----\n',
};
const network = {
  address: '192.0.2.10/24',
  gateway: '192.0.2.1',
  nameservers: ['192.0.2.53'],
  search: ['example.org'],
};
const everything = {
  disk: { layout: 'lvm', filesystem: 'xfs', swap: '1GiB', size: '20GiB' },
  network,
  ntp: ['ntp.example.org', '192.0.2.123'],
  repositories: [repository, { ...repository, name: 'flat', suite: 'stable/' }],
};

async function render(settings: Partial<Record<keyof Recipe, unknown>> = {}): Promise<DebianFiles> {
  return renderDebianAnswerFile(await planFor(settings), answerRun, await loadDebianTemplates());
}

describe('the answer file of Debian', () => {
  it.each(['early.sh', 'pkgdetails.sh', 'base.sh', 'late.sh'] as const)(
    'has scripts that a shell can read: %s',
    async (name) => {
      const files = await render({ ...everything, kernelArguments: ['net.ifnames=0', 'a=!~*^%'] });
      expect(() => execFileSync('/bin/sh', ['-n'], { input: files[name] })).not.toThrow();
    },
  );

  it.each([{}, everything])('answers each question once: %j', async (settings) => {
    const answers = (await render(settings))['preseed.cfg'].split('\n').filter((line) => /^[a-z]/.test(line));
    const names = answers.map((line) => line.split(/\s+/)[1]);
    expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
    expect(answers.every((line) => /^\S+ \S+ (string|boolean|select|multiselect|password|note)( |$)/.test(line))).toBe(
      true,
    );
  });

  it('puts the keys of the build where the first connection needs them', async () => {
    const files = await render();
    expect(files['base.sh']).toContain("host_private_key='-----BEGIN KEY-----\nabc\n-----END KEY-----'\n");
    expect(files['late.sh']).toContain("build_user_key='ssh-ed25519 AAAAbuild'\n");
    expect(files['preseed.cfg']).not.toContain('KEY');
  });
});

describe('the answer file of Debian for arm64', () => {
  it('has the console and the boot loader of that architecture', async () => {
    const files = await render({ arch: 'arm64', firmware: 'uefi' });
    expect(files['late.sh']).toContain('console=tty0 console=ttyAMA0,115200"\nGRUB_TERMINAL=console\n');
    expect(files['late.sh'].match(/^grub-install .*$/gm)).toEqual([
      'grub-install --target=arm64-efi --no-nvram --uefi-secure-boot --force-extra-removable',
    ]);
    expect(files['preseed.cfg']).not.toContain('biosgrub');
    const plan = await planFor({ arch: 'arm64', firmware: 'uefi' });
    expect(debianKernelArguments(plan, answerRun)).toContain('console=ttyAMA0');
    expect(debianPackages(plan)).toContain('linux-image-arm64');
  });
});

describe('the partman recipe', () => {
  const recipeFor = async (disk: object, arch = 'amd64'): Promise<string[]> => {
    const plan = await planFor({ disk: { size: '20GiB', ...disk } });
    return makePartmanRecipe(makeDiskLayout({ recipe: { ...plan.recipe, arch: arch as 'amd64' } })).split(' \\\n  ');
  };
  const words = (lines: readonly string[]): string[] =>
    lines.map((line) => /(?:mountpoint|method)\{ [^}]+ \}/g.exec(line.replace('method{ format }', ''))?.[0] ?? line);

  it('has what its layout has, in order, the root last', async () => {
    expect(words(await recipeFor({}))).toEqual(['method{ biosgrub }', 'method{ efi }', 'mountpoint{ / }']);
    expect(words(await recipeFor({ layout: 'separate', volumes: [{ path: '/opt', size: '1GiB' }] }))).toEqual([
      'method{ biosgrub }',
      'method{ efi }',
      'mountpoint{ /opt }',
      'mountpoint{ / }',
    ]);
    expect(words(await recipeFor({ layout: 'lvm', swap: '1GiB' }))).toEqual([
      'method{ biosgrub }',
      'method{ efi }',
      'mountpoint{ /boot }',
      'method{ swap }',
      'mountpoint{ /home }',
      'mountpoint{ /var }',
      'mountpoint{ /var/log }',
      'mountpoint{ / }',
    ]);
  });

  it('has no BIOS boot partition where there is no BIOS', async () => {
    expect(words(await recipeFor({}, 'arm64'))).toEqual(['method{ efi }', 'mountpoint{ / }']);
  });

  it('puts into LVM all but what boots, and gives a volume at least its size', async () => {
    const lines = await recipeFor({ layout: 'lvm', filesystem: 'xfs', volumes: [{ path: '/opt', size: '1GiB' }] });
    expect(lines.filter((line) => line.includes('$lvmok{ }'))).toEqual([
      '1074 1074 1074 xfs $lvmok{ } lv_name{ opt } method{ format } format{ } use_filesystem{ } filesystem{ xfs } mountpoint{ /opt } .',
      '1000 10000 -1 xfs $lvmok{ } lv_name{ root } method{ format } format{ } use_filesystem{ } filesystem{ xfs } mountpoint{ / } .',
    ]);
    expect(lines.find((line) => line.includes('/boot }'))).toContain('filesystem{ ext4 }');
  });
});

describe('what a recipe asks for beyond the default', () => {
  /** The scripts with another target, in which `chroot` and the rest of the installer do nothing. */
  async function runAdditions(settings: object, name: 'base.sh' | 'late.sh', marker: string): Promise<string> {
    const script = (await render(settings))[name];
    const target = mkdtempSync(join(tmpdir(), 'kvmimg-target-'));
    mkdirSync(join(target, 'etc/apt/sources.list.d'), { recursive: true });
    // What stands before would change this machine.
    const start = script.indexOf(marker);
    if (start < 0) throw new Error(`${name} has no "${marker}"`);
    const additions = script.slice(start);
    const head = `set -eu\ntarget=${target}\nchroot() { shift; echo "$*" >>$target/calls; }\n`;
    execFileSync('/bin/sh', ['-c', head + additions]);
    return target;
  }

  it('is written into the new system', async () => {
    const target = await runAdditions(everything, 'late.sh', '# --- what the recipe asks for');
    const read = (path: string): string => readFileSync(join(target, path), 'utf8');
    expect(read('usr/lib/kvmimg/90-kvmimg-dhcp.network')).toBe(
      '[Match]\nType=ether\nKind=!*\nProperty=KVMIMG_FIRST_ETHERNET=1\n' +
        '[Network]\nAddress=192.0.2.10/24\nGateway=192.0.2.1\nDNS=192.0.2.53\nDomains=example.org\n',
    );
    expect(read('etc/systemd/timesyncd.conf.d/90-kvmimg.conf')).toBe('[Time]\nNTP=ntp.example.org 192.0.2.123\n');
    expect(statSync(join(target, 'usr/lib/kvmimg/grow-root')).mode & 0o777).toBe(0o755);
    execFileSync('/bin/sh', ['-n', join(target, 'usr/lib/kvmimg/grow-root')]);
    expect(read('calls').trim().split('\n')).toEqual([
      'systemctl --no-reload enable systemd-timesyncd.service',
      'systemctl --no-reload enable kvmimg-grow-root.service',
    ]);
    rmSync(target, { recursive: true });
  });

  it('has each repository with its key, in the way that kvmimg serves it', async () => {
    const target = await runAdditions(everything, 'base.sh', '\n# A repository of the recipe');
    const read = (path: string): string => readFileSync(join(target, 'etc/apt', path), 'utf8');
    expect(read('keyrings/more.asc')).toBe(repository.key);
    expect(read('sources.list.d/more.sources')).toBe(
      'Types: deb\nURIs: http://10.0.2.2:1234/token/repository-more\nSuites: trixie\nComponents: main\n' +
        'Signed-By: /etc/apt/keyrings/more.asc\n',
    );
    expect(read('sources.list.d/flat.sources')).toContain('Suites: stable/\nSigned-By:');
    rmSync(target, { recursive: true });
  });

  it('finds the Ethernet device that came first, whatever its name', () => {
    const sys = mkdtempSync(join(tmpdir(), 'kvmimg-sys-'));
    const addDevice = (name: string, { ifindex, type = 1, physical = true }: Record<string, number | boolean>) => {
      mkdirSync(join(sys, name, ...(physical ? ['device'] : [])), { recursive: true });
      writeFileSync(join(sys, name, 'ifindex'), `${ifindex}\n`);
      writeFileSync(join(sys, name, 'type'), `${type}\n`);
    };
    addDevice('lo', { ifindex: 1, type: 772, physical: false });
    addDevice('bridge', { ifindex: 2, physical: false });
    addDevice('eth9', { ifindex: 3 });
    addDevice('ens3', { ifindex: 10 });
    const [, , script] = makeStaticNetwork(network, '/x').files;
    const program = join(sys, 'is-first');
    writeFileSync(program, (script?.content ?? '').replaceAll('/sys/class/net', sys));
    chmodSync(program, 0o755);
    const isFirst = (name: string): boolean => {
      try {
        execFileSync(program, [join(sys, name)]);
        return true;
      } catch {
        return false;
      }
    };
    expect({ eth9: isFirst('eth9'), ens3: isFirst('ens3') }).toEqual({ eth9: true, ens3: false });
    rmSync(sys, { recursive: true });
  });
});

describe('debianPackages', () => {
  it('adds what locale and keyboard need, and names each package once', async () => {
    const plain = debianPackages(await planFor());
    expect(plain).toEqual(expect.arrayContaining(['linux-image-amd64', 'grub-cloud-amd64', 'cloud-init', 'sudo']));
    expect(plain).not.toContain('locales');
    const more = debianPackages(await planFor({ locale: 'de_DE.UTF-8', keyboard: 'de', packages: ['sudo', 'curl'] }));
    expect(more.filter((name) => !plain.includes(name))).toEqual([
      'locales',
      'keyboard-configuration',
      'console-setup',
      'curl',
    ]);
    expect(new Set(more).size).toBe(more.length);
  });

  it('adds what the disk needs', async () => {
    const plain = debianPackages(await planFor());
    const more = debianPackages(await planFor(everything));
    expect(more.filter((name) => !plain.includes(name))).toEqual(['lvm2', 'xfsprogs']);
  });
});

describe('debianKernelArguments', () => {
  it('tells the installer what it asks before it reads the answer file', async () => {
    expect(debianKernelArguments(await planFor({ hostname: 'web' }), answerRun, ['norandmaps'])).toEqual([
      'auto=true',
      'priority=critical',
      'url=http://10.0.2.2:1234/token/seed/preseed.cfg',
      'hostname=web',
      'domain=',
      'interface=auto',
      'firmware=never',
      'DEBIAN_FRONTEND=text',
      'console=ttyS0',
      'log_host=10.0.2.2',
      'log_port=5514',
      'ipv6.disable=1',
      'norandmaps',
      '---',
    ]);
  });
});
