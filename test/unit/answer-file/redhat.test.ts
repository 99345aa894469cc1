import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import {
  loadRedhatTemplates,
  type RedhatFiles,
  redhatKernelArguments,
  redhatPackages,
  renderRedhatAnswerFile,
} from '../../../src/answer-file/redhat.ts';
import { listDistroIds, loadDistros } from '../../../src/distro/catalogue.ts';
import type { Recipe } from '../../../src/recipe/schema.ts';
import { answerRun, planForDistro } from './answer-inputs.ts';
import { findKickstartProblems, type Kickstart, parseKickstart } from './kickstart-rules.ts';

type Settings = Partial<Record<keyof Recipe, unknown>>;

async function render(id: string, settings: Settings = {}): Promise<RedhatFiles> {
  return renderRedhatAnswerFile(await planForDistro(id, settings), answerRun, await loadRedhatTemplates());
}

async function kickstartFor(id: string, settings: Settings = {}): Promise<Kickstart> {
  return parseKickstart((await render(id, settings))['ks.cfg']);
}

function wordsOf({ commands }: Kickstart, command: string): string[] {
  return commands.filter(({ name }) => name === command).map(({ words }) => words.join(' '));
}

const ids = (await loadDistros()).filter(({ family }) => family === 'redhat').map(({ id }) => id);
const key = '-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nabc\n-----END PGP PUBLIC KEY BLOCK-----\n';
const more = [{ name: 'more', url: 'https://repo.example.org/more', key }];

describe('the answer file of the Red Hat family', () => {
  it('is for each of its distributions', async () => {
    expect(ids).toHaveLength(12);
    expect(await listDistroIds()).toEqual(expect.arrayContaining(ids));
  });

  it.each(ids)('keeps the rules of kickstart: %s', async (id) => {
    const static4 = { address: '192.0.2.10/24', gateway: '192.0.2.1' };
    const disks = [{}, { layout: 'separate', filesystem: 'xfs' }, { layout: 'lvm', swap: '1GiB' }];
    for (const disk of disks) {
      const settings = { disk: { size: '20GiB', ...disk }, network: static4, ntp: ['a.example', 'b.example'] };
      expect(findKickstartProblems(await kickstartFor(id, settings))).toEqual([]);
    }
  });

  it.each(['post.sh', 'logs.sh'] as const)('has scripts that a shell can read: %s', async (name) => {
    const shell = name === 'logs.sh' ? '/bin/sh' : '/bin/bash';
    const files = await render('rocky-9', {
      disk: { layout: 'lvm', size: '20GiB' },
      repositories: more,
      packages: ['jq'],
    });
    expect(() => execFileSync(shell, ['-n'], { input: files[name] })).not.toThrow();
  });

  it.each(['pre', 'post', 'onerror', 'traceback'])('has a %s section that bash can read', async (name) => {
    const section = (await kickstartFor('rocky-9')).sections.find((each) => each.name === name);
    expect(() => execFileSync('/bin/bash', ['-n'], { input: section?.body.join('\n') ?? '(' })).not.toThrow();
  });

  it('puts the keys of the build where the first connection needs them, and no private one into the kickstart', async () => {
    const files = await render('rocky-9');
    expect(files['post.sh']).toContain("host_private_key='-----BEGIN KEY-----\nabc\n-----END KEY-----'\n");
    expect(files['ks.cfg']).not.toContain('BEGIN KEY');
    expect(wordsOf(parseKickstart(files['ks.cfg']), 'sshkey')).toEqual([
      '--username=kvmimg-build ssh-ed25519 AAAAbuild',
    ]);
  });

  it('tells nothing of the private key to the log', async () => {
    const { 'post.sh': post } = await render('rocky-9');
    expect(post.indexOf('host_private_key"')).toBeLessThan(post.indexOf('\nset -x\n'));
    expect(post.lastIndexOf('host_private_key')).toBeLessThan(post.indexOf('\nset -x\n'));
  });
});

describe('the disk', () => {
  const disk = '--ondisk=disk/by-id/virtio-kvmimg-root';

  it('is found by its serial number, by every command that names one', async () => {
    const { commands } = await kickstartFor('almalinux-10', { disk: { layout: 'lvm', size: '20GiB' } });
    const devices = commands.flatMap(({ words }) =>
      words.filter((word) => /^--(only-use|ondisk|drives|boot-drive)=/.test(word)),
    );
    expect(new Set(devices.map((word) => word.replace(/^[^=]*=/, '')))).toEqual(
      new Set(['disk/by-id/virtio-kvmimg-root']),
    );
  });

  it('has the root last, for it alone grows', async () => {
    expect(wordsOf(await kickstartFor('rocky-9'), 'part')).toEqual([
      `biosboot --fstype=biosboot --size=1 ${disk}`,
      `/boot/efi --fstype=efi --size=128 --fsoptions=umask=0077,shortname=winnt ${disk}`,
      `/ --fstype=ext4 --size=2048 --grow ${disk}`,
    ]);
  });

  it('has no BIOS boot partition on arm64', async () => {
    const [first] = wordsOf(await kickstartFor('rocky-9', { arch: 'arm64' }), 'part');
    expect(first).toMatch(/^\/boot\/efi /);
  });

  it('has /boot and swap outside of LVM', async () => {
    const kickstart = await kickstartFor('rocky-9', {
      disk: {
        layout: 'lvm',
        filesystem: 'xfs',
        swap: '1GiB',
        size: '20GiB',
        volumes: [{ path: '/var/log', size: '2GiB' }],
      },
    });
    expect(wordsOf(kickstart, 'part').slice(2)).toEqual([
      `/boot --fstype=xfs --size=1024 ${disk}`,
      `swap --fstype=swap --size=1024 ${disk}`,
      `pv.01 --size=2048 --grow ${disk}`,
    ]);
    expect(wordsOf(kickstart, 'logvol')).toEqual([
      '/var/log --vgname=system --name=var_log --fstype=xfs --size=2048',
      '/ --vgname=system --name=root --fstype=xfs --size=2048 --grow',
    ]);
  });
});

describe('where the packages come from', () => {
  const sourcesOf = async (id: string, settings: Settings = {}): Promise<string[]> => {
    const kickstart = await kickstartFor(id, settings);
    return ['cdrom', 'url', 'repo'].flatMap((name) =>
      wordsOf(kickstart, name).map((words) => `${name} ${words}`.trim()),
    );
  };
  const root = 'http://10.0.2.2:1234/token/packages';

  it.each([
    [
      'rocky-9',
      {},
      [`url --url=${root}/9/BaseOS/x86_64/os`, `repo --name=AppStream --baseurl=${root}/9/AppStream/x86_64/os`],
    ],
    [
      'rocky-9',
      { arch: 'arm64' },
      [`url --url=${root}/9/BaseOS/aarch64/os`, `repo --name=AppStream --baseurl=${root}/9/AppStream/aarch64/os`],
    ],
    [
      'rocky-9',
      { installer: { from: 'iso' } },
      ['cdrom', 'repo --name=AppStream --baseurl=file:///run/install/repo/AppStream'],
    ],
    ['rhel-10', {}, ['cdrom', 'repo --name=AppStream --baseurl=file:///run/install/repo/AppStream']],
    ['oracle-9', {}, ['cdrom', 'repo --name=AppStream --baseurl=file:///run/install/repo/AppStream']],
    [
      'fedora-44',
      { installer: { from: 'iso' } },
      [
        `url --url=${root}/releases/44/Everything/x86_64/os`,
        `repo --name=updates --baseurl=${root}/updates/44/Everything/x86_64`,
      ],
    ],
  ])('%s with %j', async (id, settings, expected) => {
    expect(await sourcesOf(id, settings)).toEqual(expected);
  });

  it("leaves the recipe's repositories to dnf, which checks signatures", async () => {
    const settings = { repositories: more, packages: ['jq'] };
    expect(redhatPackages(await planForDistro('rocky-9', settings))).not.toContain('jq');
    const { 'post.sh': post, 'ks.cfg': ks } = await render('rocky-9', settings);
    expect(ks).not.toContain('repository-more');
    expect(post).toContain('baseurl=http://10.0.2.2:1234/token/repository-more\nenabled=1\ngpgcheck=1\n');
    expect(post).toMatch(/^dnf -y .*--repo=more .* install jq$/m);
    expect(post.match(/gpgcheck=/g)).toHaveLength(3);
    expect(post).not.toContain('gpgcheck=0');
  });
});

describe('redhatPackages', () => {
  it('adds what the locale needs, names each package once, and leaves out what is not wanted', async () => {
    const plain = redhatPackages(await planForDistro('fedora-43'));
    expect(plain).toEqual(expect.arrayContaining(['dracut-config-generic', 'grub2-pc', 'shim-x64', '-firewalld']));
    const settings = { locale: 'de_DE.UTF-8', packages: ['sudo', 'curl', 'firewalld'] };
    const german = redhatPackages(await planForDistro('fedora-43', settings));
    expect(german.filter((name) => !plain.includes(name))).toEqual(['glibc-langpack-de', 'curl', 'firewalld']);
    expect(german).not.toContain('-firewalld');
    expect(new Set(german).size).toBe(german.length);
  });

  it('has the boot loaders of the architecture', async () => {
    const names = redhatPackages(await planForDistro('rocky-10', { arch: 'arm64' }));
    expect(names.filter((name) => /grub|shim/.test(name))).toEqual(['grub2-efi-aa64', 'shim-aa64']);
  });
});

describe('redhatKernelArguments', () => {
  const argumentsOf = async (id: string, settings: Settings = {}, isoVolumeId?: string) =>
    redhatKernelArguments(
      await planForDistro(id, settings),
      { ...answerRun, ...(isoVolumeId ? { isoVolumeId } : {}) },
      ['norandmaps'],
    );

  it('asks nothing, and prints plain lines on the serial port', async () => {
    expect(await argumentsOf('rocky-9')).toEqual([
      'inst.ks=http://10.0.2.2:1234/token/seed/ks.cfg',
      'inst.stage2=http://10.0.2.2:1234/token/packages/9/BaseOS/x86_64/os',
      'inst.text',
      'inst.cmdline',
      'inst.notmux',
      'inst.nosave=all',
      'inst.syslog=10.0.2.2:5514',
      'console=ttyS0',
      'ip=dhcp',
      'norandmaps',
    ]);
  });

  it.each([
    ['the label of the distro', undefined, 'inst.stage2=hd:LABEL=RHEL-9-4-0-BaseOS-x86_64'],
    ['the label that the ISO has', 'My RHEL/9 ü', 'inst.stage2=hd:LABEL=My\\x20RHEL\\x2f9\\x20\\xc3\\xbc'],
  ])('finds the second stage by %s', async (_, label, expected) => {
    expect(await argumentsOf('rhel-9', {}, label)).toContain(expected);
  });

  it('looks on every ISO whose label is not known', async () => {
    const settings = { installer: { iso: 'https://example.org/my.iso', sha256: 'a'.repeat(64) } };
    expect(await argumentsOf('rocky-9', settings)).toContain('inst.repo=cdrom');
  });

  it('has the console of arm64', async () => {
    expect(await argumentsOf('fedora-44', { arch: 'arm64' })).toContain('console=ttyAMA0');
  });
});
