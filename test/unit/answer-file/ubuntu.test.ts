import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import {
  loadUbuntuTemplates,
  renderUbuntuAnswerFile,
  type UbuntuFiles,
  ubuntuFileNames,
  ubuntuKernelArguments,
  ubuntuPackages,
} from '../../../src/answer-file/ubuntu.ts';
import type { Recipe } from '../../../src/recipe/schema.ts';
import { asPublicKey } from '../public-key.ts';
import { answerRun, planForDistro } from './answer-inputs.ts';
import type { Autoinstall } from './autoinstall-schema.ts';

type Settings = Partial<Record<keyof Recipe, unknown>>;
const planFor = (settings: Settings = {}) => planForDistro('ubuntu-2404', settings);

async function render(settings: Settings = {}): Promise<UbuntuFiles> {
  return renderUbuntuAnswerFile(await planFor(settings), answerRun, await loadUbuntuTemplates());
}

async function autoinstall(settings: Settings = {}): Promise<Autoinstall> {
  return (parse((await render(settings))['user-data']) as { autoinstall: Autoinstall }).autoinstall;
}

const grubDevices = async (settings: Settings) =>
  (await autoinstall(settings)).storage.config.filter((action) => 'grub_device' in action && action.grub_device);

describe('the answer file of Ubuntu', () => {
  it('lets curtin install GRUB for the firmware of the machine that builds, and for no other', async () => {
    expect((await grubDevices({ firmware: 'bios' })).map(({ id }) => id)).toEqual(['disk']);
    expect((await grubDevices({ firmware: 'uefi' })).map(({ id }) => id)).toEqual(['esp']);
  });

  it('has no BIOS boot partition and no BIOS boot loader on arm64', async () => {
    const settings = { arch: 'arm64', firmware: 'uefi' };
    const ids = (await autoinstall(settings)).storage.config.map(({ id }) => id);
    expect(ids.slice(0, 3)).toEqual(['disk', 'esp', 'volume-root']);
    const files = await render(settings);
    expect(files['target.sh']).toContain('boot_target=arm64-efi\nboot_suffix=aa64\n');
    expect(files['target.sh']).toContain(
      "boot_packages='grub-efi-arm64 grub-efi-arm64-bin grub-efi-arm64-signed shim-signed'",
    );
    expect(files['late.sh']).toContain('console=tty0 console=ttyAMA0,115200');
  });

  it('keeps volumes apart from partitions of the same name', async () => {
    const volumes = ['/disk', '/esp', '/swap'].map((path) => ({ path, size: '1GiB' }));
    const { config } = (await autoinstall({ disk: { layout: 'separate', size: '20GiB', swap: '1GiB', volumes } }))
      .storage;
    const ids = config.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('says nothing of UTC, which not every installer knows by that name, and sets it in the image', async () => {
    expect(await autoinstall()).not.toHaveProperty('timezone');
    expect((await render())['target.sh']).toContain('timezone=Etc/UTC\n');
    expect(await autoinstall({ timezone: 'Europe/Berlin' })).toMatchObject({ timezone: 'Europe/Berlin' });
  });

  it('puts the keys of the build where the first connection needs them, and the secret one nowhere else', async () => {
    const files = await render();
    expect(files['late.sh']).toContain("host_private_key='-----BEGIN KEY-----\nabc\n-----END KEY-----'\n");
    expect(files['late.sh']).toContain("build_user_key='ssh-ed25519 AAAAbuild'\n");
    // Neither are the commands that use it traced.
    expect(files['late.sh'].indexOf('$host_private_key')).toBeLessThan(files['late.sh'].indexOf('set -x'));
    for (const name of ubuntuFileNames) if (name !== 'late.sh') expect(files[name]).not.toContain('BEGIN KEY');
  });

  it('has a key of a repository where curtin wants it, and then where only its repository trusts it', async () => {
    const key = `-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n#'"$\\{{seedUrl}}\n-----END PGP PUBLIC KEY BLOCK-----\n`;
    const repositories = [
      { name: 'more', url: 'https://repo.example.org/more', suite: 'stable/', key },
      { name: 'other', url: 'https://repo.example.org/other', components: ['a', 'b'], key },
    ];
    expect((await autoinstall({ repositories })).apt.sources).toEqual({
      'kvmimg-more.list': { source: 'deb http://10.0.2.2:1234/token/repository-more stable/', key },
      'kvmimg-other.list': { source: 'deb http://10.0.2.2:1234/token/repository-other noble a b', key },
    });
    const late = (await render({ repositories }))['late.sh'];
    expect(late).toContain('write_file /etc/apt/keyrings/more.asc 644 ');
    expect(late.indexOf('trusted.gpg.d/kvmimg-*')).toBeLessThan(late.indexOf('write_file /etc/apt/keyrings'));
  });

  it('refuses a key that neither format can hold', async () => {
    const repository = { name: 'more', url: 'https://repo.example.org/more' };
    for (const key of ['a\0b', 'a\ud800'].map(asPublicKey)) {
      await expect(render({ repositories: [{ ...repository, key }] })).rejects.toMatchObject({
        code: 'answer-file-value',
      });
    }
  });
});

describe('the seed of the live system', () => {
  it('is all that cloud-init asks for', async () => {
    const files = await render();
    expect(parse(files['meta-data'])).toEqual({ 'instance-id': 'kvmimg-install' });
    expect(parse(files['vendor-data'])).toEqual({});
    // No configuration at all, and not an empty one, which would leave the live system without a network.
    expect(parse(files['network-config'])).toBeNull();
  });
});

describe('ubuntuPackages', () => {
  it('adds what locale, file systems and time servers need, and names each package once', async () => {
    const plain = ubuntuPackages(await planFor());
    expect(plain).toEqual(expect.arrayContaining(['cloud-init', 'qemu-guest-agent', 'openssh-server', 'sudo']));
    const disk = { layout: 'lvm', filesystem: 'xfs', size: '20GiB' };
    const more = ubuntuPackages(
      await planFor({ locale: 'de_DE.UTF-8', disk, ntp: ['ntp.example.org'], packages: ['sudo', 'curl'] }),
    );
    expect(more.filter((name) => !plain.includes(name))).toEqual([
      ...['locales', 'xfsprogs', 'lvm2', 'systemd-timesyncd', 'curl'],
    ]);
    expect(new Set(more).size).toBe(more.length);
  });
});

describe('ubuntuKernelArguments', () => {
  it.each([
    ['amd64', 'console=ttyS0'],
    ['arm64', 'console=ttyAMA0'],
  ])('name the seed with a final slash, and the console of %s', async (arch, console) => {
    const plan = await planFor({ arch, ...(arch === 'arm64' && { firmware: 'uefi' }) });
    expect(ubuntuKernelArguments(plan, answerRun, ['norandmaps'])).toEqual([
      'autoinstall',
      'ds=nocloud;s=http://10.0.2.2:1234/token/seed/',
      console,
      'fsck.mode=skip',
      'noprompt',
      'norandmaps',
      '---',
    ]);
  });
});
