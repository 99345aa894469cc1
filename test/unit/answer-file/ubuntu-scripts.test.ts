import { spawnSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadUbuntuTemplates, renderUbuntuAnswerFile, type UbuntuFiles } from '../../../src/answer-file/ubuntu.ts';
import type { Recipe } from '../../../src/recipe/schema.ts';
import { answerRun, planForDistro } from './answer-inputs.ts';

const key = '-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmDMEexample\n-----END PGP PUBLIC KEY BLOCK-----\n';

/** Programs of the live system that write down how they were called, and with what input. */
const fakes = {
  curl: '#!/bin/sh\necho "curl $*" >>"$CALLS"\ncase "$*" in *@-*) sed "s/^/body: /" >>"$CALLS" ;; esac\n',
  curtin: '#!/bin/sh\necho "curtin $*" >>"$CALLS"\nexit "${CURTIN_EXIT:-0}"\n',
  journalctl: '#!/bin/sh\ncase "$*" in *--sync*) ;; *) echo "a line of the journal" ;; esac\n',
  chroot: '#!/bin/sh\nshift\necho "chroot $*" >>"$CALLS"\n',
  systemctl: '#!/bin/sh\necho "systemctl $*" >>"$CALLS"\nexit 5\n',
  'systemd-run': '#!/bin/sh\necho "systemd-run $*" >>"$CALLS"\n',
};

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'kvmimg-late-'));
  for (const [name, text] of Object.entries(fakes)) await put(join('bin', name), text, 0o755);
  await mkdir(join(dir, 'run'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

async function put(path: string, text: string, mode = 0o644): Promise<void> {
  await mkdir(dirname(join(dir, path)), { recursive: true });
  await writeFile(join(dir, path), text);
  await chmod(join(dir, path), mode);
}

const read = (path: string) => readFile(join(dir, path), 'utf8');

/** Runs one of the scripts with its folders below `dir`; gives its exit code and the calls of the fakes. */
async function runScript(name: keyof UbuntuFiles, settings: Partial<Record<keyof Recipe, unknown>> = {}, env = {}) {
  const plan = await planForDistro('ubuntu-2404', settings);
  const files = renderUbuntuAnswerFile(plan, answerRun, await loadUbuntuTemplates());
  const input = files[name]
    .replace('target=/target', `target=${dir}/target`)
    .replaceAll(/(?<=[\s">])\/(run|var\/log)\//g, `${dir}/$1/`);
  const { status, stderr } = spawnSync('/bin/sh', ['-s'], {
    input,
    encoding: 'utf8',
    env: { PATH: `${dir}/bin:/usr/bin:/bin`, CALLS: join(dir, 'calls'), ...env },
  });
  return { status, stderr, calls: (await read('calls')).split('\n') };
}

/** What subiquity and curtin leave in the new system. */
async function makeTarget(): Promise<void> {
  const left = [
    ...['sources.list', 'sources.list.curtin.old', 'sources.list.d/ubuntu.sources', 'sources.list.d/kvmimg-more.list'],
    ...['trusted.gpg.d/kvmimg-more.list.asc', 'apt.conf.d/94curtin-config', 'apt.conf.d/90curtin-aptproxy'],
  ].map((name) => `apt/${name}`);
  const cloud = [
    ...[
      'cloud.cfg.d/99-installer.cfg',
      'cloud.cfg.d/90-installer-network.cfg',
      'cloud.cfg.d/curtin-preserve-sources.cfg',
      'cloud.cfg.d/20-disable-cc-dpkg-grub.cfg',
    ],
    ...['clean.d/99-installer', 'ds-identify.cfg', 'cloud.cfg.d/90_dpkg.cfg'],
  ].map((name) => `cloud/${name}`);
  const others = ['netplan/50-cloud-init.yaml', 'ssh/ssh_host_rsa_key', 'ssh/ssh_host_ed25519_key', 'ssh/sshd_config'];
  const kept = ['apt/trusted.gpg.d/ubuntu-keyring-2018-archive.gpg', 'apt/apt.conf.d/01autoremove'];
  for (const name of [...left, ...cloud, ...others, ...kept]) await put(join('target/etc', name), `${name}\n`);
  await put('target/home/kvmimg-build/.ssh/known_hosts', '');
  for (const name of ['sudoers.d', 'keyrings']) await mkdir(join(dir, 'target/etc', name), { recursive: true });
  await mkdir(join(dir, 'target/tmp'));
}

describe('late.sh of Ubuntu', () => {
  beforeEach(makeTarget);

  const settings = {
    hostname: 'web',
    repositories: [{ name: 'more', url: 'https://repo.example.org/more', key }],
    network: { address: '192.0.2.10/24', gateway: '192.0.2.1' },
    ntp: ['ntp.example.org'],
  };

  it('leaves nothing of the installer, and what the build needs', async () => {
    const { status, stderr, calls } = await runScript('late.sh', settings);
    expect(status, stderr).toBe(0);
    const list = async (folder: string) => (await readdir(join(dir, 'target/etc', folder))).sort();
    expect(await list('apt')).toEqual(['apt.conf.d', 'keyrings', 'sources.list.d', 'trusted.gpg.d']);
    expect(await list('apt/sources.list.d')).toEqual(['kvmimg-build.list', 'more.sources']);
    expect(await list('apt/apt.conf.d')).toEqual(['00kvmimg-build', '01autoremove']);
    expect(await list('apt/trusted.gpg.d')).toEqual(['ubuntu-keyring-2018-archive.gpg']);
    expect(await list('cloud/cloud.cfg.d')).toEqual(['90_dpkg.cfg']);
    expect(await list('cloud')).toEqual(['clean.d', 'cloud.cfg.d']);
    expect(await list('netplan')).toEqual([]);
    expect(await read('target/etc/apt/keyrings/more.asc')).toBe(key);
    expect(await read('target/etc/hostname')).toBe('web\n');
    expect(await read('target/usr/lib/kvmimg/90-kvmimg-dhcp.network')).toContain('Address=192.0.2.10/24\n');
    expect(calls).toContain('chroot systemctl --no-reload enable systemd-timesyncd.service');
    expect(calls.filter((call) => call.startsWith('curl ')).at(-1)).toMatch(/\/callback\/late-end\/0$/);
  });

  it('puts the host key in before anything starts, readable by root alone, and shows it to nobody', async () => {
    const { stderr } = await runScript('late.sh');
    expect((await readdir(join(dir, 'target/etc/ssh'))).sort()).toEqual([
      ...['ssh_host_ed25519_key', 'ssh_host_ed25519_key.pub', 'sshd_config'],
    ]);
    const privateKey = join(dir, 'target/etc/ssh/ssh_host_ed25519_key');
    expect((await stat(privateKey)).mode & 0o777).toBe(0o600);
    expect(await readFile(privateKey, 'utf8')).toBe(answerRun.hostKey.privateKey);
    expect(stderr).not.toContain('BEGIN KEY');
  });

  // A socket is before basic.target by default and a service after it: systemd would leave one of the two out.
  it('orders no service of its own before a socket', async () => {
    await runScript('late.sh', { ...settings, disk: { layout: 'lvm', size: '20GiB' } });
    const units = (await readdir(join(dir, 'target/etc/systemd/system'))).filter((name) => name.endsWith('.service'));
    expect(units.sort()).toEqual(['kvmimg-dhcp.service', 'kvmimg-grow-root.service', 'kvmimg-hostkeys.service']);
    for (const unit of units) {
      const text = await read(`target/etc/systemd/system/${unit}`);
      if (!text.includes('DefaultDependencies=no'))
        expect(text).not.toMatch(/^(Before|WantedBy)=.*(socket|basic|sysinit)/m);
    }
  });

  it("lets the build's user in", async () => {
    await runScript('late.sh');
    expect(await read('target/home/kvmimg-build/.ssh/authorized_keys')).toBe(`${answerRun.buildUserKey}\n`);
    expect(await read('target/etc/sudoers.d/kvmimg-build')).toBe('kvmimg-build ALL=(ALL) NOPASSWD:ALL\n');
    expect((await stat(join(dir, 'target/etc/sudoers.d/kvmimg-build'))).mode & 0o777).toBe(0o440);
  });

  it('writes settings of GRUB that a shell reads as they are meant', async () => {
    await runScript('late.sh', { kernelArguments: ['net.ifnames=0', 'a=!~*^%'] });
    const path = join(dir, 'target/etc/default/grub.d/90-kvmimg.cfg');
    const shown = spawnSync('/bin/sh', ['-c', `. ${path}; printf %s "$GRUB_CMDLINE_LINUX"`], { encoding: 'utf8' });
    expect(shown.stdout).toBe('net.ifnames=0 a=!~*^% console=tty0 console=ttyS0,115200');
  });

  it('sends the log home before it says that it has failed', async () => {
    const { status, calls } = await runScript('late.sh', {}, { CURTIN_EXIT: '100' });
    expect(status).toBe(100);
    const about = calls.filter((call) => /^body: |callback\/(log|late-end)/.test(call));
    expect(about).toEqual([
      expect.stringMatching(/--data-binary @- http:\/\/10\.0\.2\.2:1234\/token\/callback\/log\/late$/),
      'body: a line of the journal',
      expect.stringMatching(/\/callback\/late-end\/100$/),
    ]);
  });
});

describe('early.sh of Ubuntu', () => {
  it('sends journal and signs of life, and does not mind that there is no ssh', async () => {
    const { status, calls } = await runScript('early.sh');
    expect(status).toBe(0);
    const started = calls.filter((call) => call.startsWith('systemd-run '));
    expect(started).toEqual([
      `systemd-run --quiet --unit=kvmimg-log sh ${dir}/run/kvmimg-log.sh 10.0.2.2 5514`,
      `systemd-run --quiet --unit=kvmimg-progress sh ${dir}/run/kvmimg-progress.sh http://10.0.2.2:1234/token/callback`,
    ]);
    for (const name of ['kvmimg-log.sh', 'kvmimg-progress.sh']) {
      const { status: read } = spawnSync('/bin/sh', ['-n', join(dir, 'run', name)]);
      expect(read).toBe(0);
    }
  });
});

describe('error.sh of Ubuntu', () => {
  it('sends the logs, and at last the lines that tell the cause', async () => {
    await put('var/log/installer/curtin-install.log', 'all is well\nE: Unable to locate package jqq\nmore\n');
    const { status, calls } = await runScript('error.sh');
    expect(status).toBe(0);
    expect(calls.map((call) => call.replace(/^curl .*\/callback/, 'POST'))).toEqual([
      ...['POST/log/curtin-install.log', 'body: all is well', 'body: E: Unable to locate package jqq', 'body: more'],
      ...['POST/log/journal', 'body: a line of the journal'],
      ...['POST/failed', 'body: E: Unable to locate package jqq', ''],
    ]);
  });
});
