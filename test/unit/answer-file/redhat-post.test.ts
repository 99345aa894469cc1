import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadRedhatTemplates, renderRedhatAnswerFile } from '../../../src/answer-file/redhat.ts';
import { publicKey } from '../public-key.ts';
import { answerRun, planForDistro } from './answer-inputs.ts';

const folders = ['boot', 'etc', 'home', 'lib', 'root', 'sys', 'tmp', 'usr', 'var'];
const programs = [
  'usermod',
  'systemctl',
  'grub2-install',
  'grub2-mkconfig',
  'parted',
  'setfiles',
  'chcon',
  'rpm',
  'dnf',
  'curl',
];
const initramfs = '/boot/initramfs-5.14.0-1.el9.x86_64.img';
const entry = '/boot/loader/entries/0123-5.14.0-1.el9.x86_64.conf';

let dir: string;
const inside = (path: string): string => join(dir, path);

function write(path: string, content: string, mode = 0o644): void {
  mkdirSync(dirname(inside(path)), { recursive: true });
  writeFileSync(inside(path), content);
  chmodSync(inside(path), mode);
}

function program(name: string, body: string): void {
  write(`/bin/${name}`, `#!/bin/sh\necho "${name} $*" >>${dir}/calls\n${body}\n`, 0o755);
}

/** A system as Anaconda leaves it, as far as the script looks at it, with programs that write down how they are called. */
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'kvmimg-post-'));
  for (const folder of folders) mkdirSync(inside(folder), { recursive: true });
  for (const name of programs) program(name, '');
  program('grub2-probe', 'case $1 in --target=disk) echo /dev/vda ;; *) echo 1234-abcd ;; esac');
  program('grub2-mkrelpath', 'echo /boot/grub2');
  program('locale', 'printf "C.utf8\\nde_DE.utf8\\n"');
  program(
    'lsinitrd',
    'for driver in virtio_scsi vmw_pvscsi nvme; do echo "-rw-r--r-- lib/modules/$driver.ko.xz"; done',
  );
  write(initramfs, '');
  write('/lib/modules/5.14.0-1.el9.x86_64/modules.builtin', 'kernel/drivers/ata/ahci.ko\n');
  write(
    entry,
    'title Rocky\noptions root=UUID=77 ro crashkernel=1G rd.lvm.lv=system/root console=ttyS0 rhgb quiet\nid x\n',
  );
  write(
    '/etc/default/grub',
    'GRUB_TIMEOUT=5\nGRUB_CMDLINE_LINUX="crashkernel=1G"\nGRUB_TERMINAL_OUTPUT="serial"\nGRUB_ENABLE_BLSCFG=true\n',
  );
  write('/etc/ssh/sshd_config', '');
  write('/etc/NetworkManager/system-connections/ens3.nmconnection', 'interface-name=ens3');
  write('/usr/lib/systemd/system/sshd.service', '');
  write('/usr/lib/systemd/system/cloud-init.service', '');
  write('/usr/lib/grub/i386-pc/normal.mod', '');
  write('/boot/efi/EFI/BOOT/BOOTX64.EFI', 'shim');
  write('/boot/efi/EFI/rocky/grubx64.efi', 'grub');
});
afterEach(() => rmSync(dir, { recursive: true }));

interface Outcome {
  readonly status: number | null;
  readonly output: string;
}

/** An absolute path in one of the folders; not the rest of a URL or of a longer path. */
const absolutePath = new RegExp(`(?<![\\w./}*@])/(?=(?:${folders.join('|')})\\b)`, 'g');

/** The script with every path of the system moved into the folder of this test. */
async function moveScript(settings: object): Promise<string> {
  const files = renderRedhatAnswerFile(
    await planForDistro('rocky-9', settings),
    answerRun,
    await loadRedhatTemplates(),
  );
  const lines = files['post.sh'].split('\n').filter((line) => !line.startsWith('#'));
  const moved = lines
    .join('\n')
    .replace(/ PATH=\S+/, ' PATH=@ROOT@/bin:$PATH')
    .replace(absolutePath, '@ROOT@/');
  // It runs on this machine, with the rights of whoever tests: nothing of it may be meant for this machine.
  const left = moved.match(/(?<![@\w./}*:-])\/[a-z]\w+/g)?.filter((path) => path !== '/dev');
  expect(left ?? []).toEqual([]);
  return moved.replaceAll('@ROOT@', dir);
}

async function runPost(settings: object = {}): Promise<Outcome> {
  const { status, stderr, stdout } = spawnSync('/bin/bash', [], {
    input: await moveScript(settings),
    encoding: 'utf8',
  });
  return { status, output: stdout + stderr };
}

const text = (path: string): string => readFileSync(inside(path), 'utf8').replaceAll(dir, '');
const calls = (): string[] => text('/calls').trim().split('\n');

describe('the script for the new system', () => {
  it('does all of its work', async () => {
    const { status, output } = await runPost();
    expect({ status, output }).toMatchObject({ status: 0 });
    expect(output).not.toContain('BEGIN KEY');
  });

  it('leaves the image its own kernel arguments, and what finds the root', async () => {
    await runPost({ kernelArguments: ['a=*', 'quiet'] });
    const line = 'root=UUID=77 ro rd.lvm.lv=system/root a=* quiet console=tty0 console=ttyS0,115200';
    expect(text(entry)).toBe(`title Rocky\nid x\noptions ${line}\n`);
    expect(text('/etc/default/grub').split('\n')).toEqual([
      'GRUB_ENABLE_BLSCFG=true',
      'GRUB_CMDLINE_LINUX="rd.lvm.lv=system/root a=* quiet console=tty0 console=ttyS0,115200"',
      'GRUB_TIMEOUT=1',
      'GRUB_TERMINAL="console serial"',
      'GRUB_SERIAL_COMMAND="serial --unit=0 --speed=115200"',
      '',
    ]);
  });

  it('stops at an entry that does not say where the root is', async () => {
    write(entry, 'options $kernelopts\n');
    expect(await runPost()).toMatchObject({
      status: 1,
      output: expect.stringContaining('does not say where the root is'),
    });
  });

  it('puts the host key in before the network, for its owner alone', async () => {
    await runPost();
    expect(text('/etc/ssh/ssh_host_ed25519_key')).toBe('-----BEGIN KEY-----\nabc\n-----END KEY-----\n');
    expect(statSync(inside('/etc/ssh/ssh_host_ed25519_key')).mode & 0o777).toBe(0o600);
    expect(text('/etc/sudoers.d/kvmimg-build')).toBe('kvmimg-build ALL=(ALL) NOPASSWD:ALL\n');
  });

  it('leaves one connection, which names no interface', async () => {
    await runPost();
    expect(() => text('/etc/NetworkManager/system-connections/ens3.nmconnection')).toThrow();
    const connection = '/etc/NetworkManager/system-connections/kvmimg.nmconnection';
    expect(text(connection)).not.toContain('interface-name');
    expect(statSync(inside(connection)).mode & 0o777).toBe(0o600);
  });

  it('has the boot loader of either firmware, whichever the installer was booted with', async () => {
    await runPost();
    expect(calls()).not.toContain('grub2-install --target=i386-pc /dev/vda');
    expect(text('/boot/efi/EFI/rocky/grub.cfg')).toBe(
      'search --no-floppy --fs-uuid --set=dev 1234-abcd\nset prefix=($dev)/boot/grub2\nexport prefix\nconfigfile $prefix/grub.cfg\n',
    );
    mkdirSync(inside('/sys/firmware/efi'), { recursive: true });
    await runPost();
    expect(calls()).toContain('grub2-install --target=i386-pc /dev/vda');
  });

  it('fails without the loader on the removable path', async () => {
    rmSync(inside('/boot/efi/EFI/BOOT/BOOTX64.EFI'));
    expect((await runPost()).status).toBe(1);
  });

  it('fails when the initramfs lacks a driver', async () => {
    program('lsinitrd', 'echo lib/modules/virtio_scsi.ko');
    expect(await runPost()).toMatchObject({ status: 1, output: expect.stringContaining('has no driver vmw_pvscsi') });
  });

  it('enables the services that are there', async () => {
    await runPost();
    expect(calls().filter((call) => call.startsWith('systemctl'))).toEqual([
      'systemctl --no-reload enable sshd.service',
      'systemctl --no-reload enable cloud-init.service',
    ]);
  });

  it('knows the locale, or says that there is none of that name', async () => {
    await runPost({ locale: 'de_DE.UTF-8' });
    expect(text('/etc/locale.conf')).toBe('LANG=de_DE.UTF-8\n');
    expect(await runPost({ locale: 'xx_XX.UTF-8' })).toMatchObject({
      status: 1,
      output: expect.stringContaining('the system has no locale xx_XX.UTF-8'),
    });
  });

  it('leaves LVM to find the volumes on any disk', async () => {
    write('/etc/lvm/devices/system.devices', 'IDTYPE=sys_serial IDNAME=kvmimg-root DEVNAME=/dev/vda4');
    write('/etc/lvm/devices/backup/system.devices-20261123.150000.0001', '');
    await runPost();
    expect(readdirSync(inside('/etc/lvm/devices'))).toEqual([]);
  });

  it("installs the recipe's packages from its repositories by dnf", async () => {
    const repositories = [{ name: 'more', url: 'https://repo.example.org/more', key: publicKey }];
    await runPost({ repositories, packages: ['jq'] });
    expect(text('/etc/pki/rpm-gpg/RPM-GPG-KEY-more')).toBe(publicKey);
    expect(text('/etc/yum.repos.d/more.repo')).toContain('baseurl=http://10.0.2.2:1234/token/repository-more\n');
    expect(calls().filter((call) => /^(dnf|rpm)/.test(call))).toEqual([
      'rpm --import /etc/pki/rpm-gpg/RPM-GPG-KEY-more',
      'dnf -y --repo=kvmimg-install-* --repo=more --setopt=install_weak_deps=False install jq',
      'dnf -q clean all',
    ]);
    expect(() => text('/etc/yum.repos.d/kvmimg-install.repo')).toThrow();
  });

  it('goes on past a key that is not for this version of rpm', async () => {
    program('rpm', 'exit 1');
    const repositories = [{ name: 'more', url: 'https://repo.example.org/more', key: publicKey }];
    const { status, output } = await runPost({ repositories, packages: ['jq'] });
    expect(status).toBe(0);
    expect(output).toContain('kvmimg: rpm cannot read ');
    expect(calls().filter((call) => call.startsWith('dnf'))).toHaveLength(2);
  });
});
