import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AccelFinding, Check } from '../../../src/doctor/check.ts';
import { type DoctorDeps, type DoctorOptions, runDoctor } from '../../../src/doctor/run-doctor.ts';
import { readFolderFacts } from '../../../src/host/folder-facts.ts';
import { debian12, type FakeHost, makeFakeHost } from '../host/fake-host.ts';

const gibibyte = 2 ** 30;
let host: FakeHost;
let output: string[];
let log: string[];

beforeEach(async () => {
  host = await makeFakeHost();
  [output, log] = [[], []];
  await host.writeFile('etc/os-release', debian12);
  await host.writeFile('proc/meminfo', 'MemTotal: 8388608 kB\nMemAvailable: 8388608 kB\n');
});
afterEach(() => host.remove());

/** Programs that answer as the real ones of a host on which all is well. */
async function installEverything(): Promise<void> {
  for (const rom of ['bios-256k.bin', 'vgabios-stdvga.bin', 'linuxboot_dma.bin']) {
    await host.writeFile(`usr/share/qemu/${rom}`, '');
  }
  await host.writeFile('usr/share/ovmf', '');
  await writeQemu('7.2.22');
  await host.writeProgram('qemu-img', 'echo "qemu-img version 7.2.22"');
  await host.writeProgram('ssh', 'echo "OpenSSH_9.2p1 Debian-2" >&2');
  await host.writeProgram('ssh-keygen', '');
  await host.writeProgram('setpriv', '');
}

async function writeQemu(version: string, backends = 'socket\nuser'): Promise<void> {
  const answers = [
    `--version) echo "QEMU emulator version ${version}";;`,
    `"-L help") echo "${host.root}/usr/share/nothing"; echo "${host.root}/usr/share/qemu";;`,
    `*netdev*) echo "Available netdev backend types:"; printf '%s\\n' "${backends.replace('\n', '" "')}";;`,
  ];
  await host.writeProgram('qemu-system-x86_64', `case "$*" in\n${answers.join('\n')}\nesac`);
}

/** An apt-get that writes its arguments down, and installs OpenSSH. */
async function writeAptGet(): Promise<void> {
  await host.writeProgram(
    'apt-get',
    `echo "$DEBIAN_FRONTEND $*" >> ${host.root}/apt.log
    case "$*" in *install*) printf '#!/bin/sh\\n' > ${host.bin}/ssh; cat ${host.bin}/ssh > ${host.bin}/ssh-keygen
    chmod 755 ${host.bin}/ssh ${host.bin}/ssh-keygen;; esac`,
  );
}

const kvm: AccelFinding = { accel: 'kvm', reason: 'a guest answered.' };

function doctor(options: Partial<DoctorOptions> = {}, deps: Partial<DoctorDeps> = {}) {
  return runDoctor(
    { fix: false, yes: false, json: false, ...options },
    {
      host: host.source,
      arch: 'amd64',
      cacheDir: join(host.root, 'cache'),
      outputDir: join(host.root, 'out'),
      readFolder: async (path) => ({ path, obstacle: undefined, freeBytes: 7 * gibibyte, fileSystem: 1 }),
      findAccel: async () => kvm,
      findUefiFirmware: () =>
        readFile(join(host.root, 'usr/share/ovmf')).then(
          () => '/usr/share/ovmf',
          () => undefined,
        ),
      signal: new AbortController().signal,
      ask: undefined,
      write: (line) => output.push(line),
      log: (line) => log.push(line),
      ...deps,
    },
  );
}

const findCheck = (checks: readonly Check[], item: string) => checks.find((check) => check.item === item);

describe('doctor', () => {
  it('is content with a host that has everything', async () => {
    await installEverything();
    const { ready, accel, checks } = await doctor();
    expect(checks.filter((check) => check.status !== 'ok')).toEqual([]);
    expect([ready, accel]).toEqual([true, 'kvm']);
    expect(checks.map((check) => check.item)).toEqual([
      'QEMU for x86_64',
      'QEMU user network',
      'QEMU boot ROMs',
      'qemu-img',
      'Acceleration',
      'UEFI firmware',
      'OpenSSH client',
      'ssh-keygen',
      'setpriv',
      'Space for the cache',
      'Space for the output',
      'Memory',
      'Loopback',
    ]);
  });

  it('tells of a bare host what is missing, why it matters, and the command', async () => {
    await writeAptGet();
    const { ready, accel, checks } = await doctor();
    expect([ready, accel]).toEqual([false, undefined]);
    const findings = checks.map(({ item, status, command }) => [item, status, command]);
    const install = 'sudo apt-get update && sudo apt-get install -y --no-install-recommends';
    expect(findings.filter(([, status]) => status !== 'ok')).toEqual([
      ['QEMU for x86_64', 'missing', `${install} qemu-system-x86`],
      ['qemu-img', 'missing', `${install} qemu-utils`],
      ['Acceleration', 'warning', undefined],
      ['UEFI firmware', 'missing', `${install} ovmf`],
      ['OpenSSH client', 'missing', `${install} openssh-client`],
      ['ssh-keygen', 'missing', `${install} openssh-client`],
      ['setpriv', 'warning', `${install} util-linux`],
    ]);
    expect(output).toContain(`missing  qemu-img              not found on the PATH`);
    expect(output.at(-1)).toMatch(/^Not ready: .*doctor --fix/);
  });

  it('has no command that fetches package lists where there are fresh ones, nor sudo for root', async () => {
    await writeAptGet();
    await host.writeFile('var/lib/apt/lists/mirror_Packages', '');
    const { checks } = await doctor({}, { host: { ...host.source, userId: 0 } });
    expect(findCheck(checks, 'qemu-img')?.command).toBe('apt-get install -y --no-install-recommends qemu-utils');
  });

  it.each([
    ['6.1.0', 'missing', '6.2 or newer'],
    ['6.2.0', 'warning', 'no screenshots'],
    ['7.1.0', 'ok', '7.1.0 at '],
    ['10.0.2', 'ok', '10.0.2 at '],
  ])('judges QEMU %s: %s', async (version, status, found) => {
    await installEverything();
    await writeQemu(version);
    const check = findCheck((await doctor()).checks, 'QEMU for x86_64');
    expect(check).toMatchObject({ status, found: expect.stringContaining(found) });
  });

  it('sees a QEMU without user network', async () => {
    await installEverything();
    await writeQemu('7.2.22', 'socket\ntap');
    expect(findCheck((await doctor()).checks, 'QEMU user network')).toMatchObject({ status: 'missing' });
  });

  it('takes emulation for a warning: builds work', async () => {
    await installEverything();
    const reason = 'the KVM guest did not answer within 2 s.';
    const { ready, accel, checks } = await doctor({}, { findAccel: async () => ({ accel: 'tcg', reason }) });
    expect([ready, accel]).toEqual([true, 'tcg']);
    expect(findCheck(checks, 'Acceleration')).toMatchObject({ status: 'warning', found: `tcg: ${reason}` });
    expect(output.at(-1)).toBe('Ready; builds will be slow, by emulation.');
  });

  it.each([
    ['Intel', 'flags : fpu vmx', 'sudo modprobe kvm_intel'],
    ['AMD', 'flags : fpu svm', 'sudo modprobe kvm_amd'],
    ['no processor that could', 'flags : fpu', undefined],
  ])('knows the command where there is no /dev/kvm: %s', async (_, cpuInfo, command) => {
    await installEverything();
    await host.writeFile('proc/cpuinfo', cpuInfo);
    const { checks } = await doctor({}, { findAccel: async () => ({ accel: 'tcg', reason: 'no /dev/kvm.' }) });
    expect(findCheck(checks, 'Acceleration')?.command).toBe(command);
  });

  it('has no command against a KVM that opens and does not work', async () => {
    await installEverything();
    await host.writeFile('dev/kvm', '');
    const { checks } = await doctor({}, { findAccel: async () => ({ accel: 'tcg', reason: 'no answer.' }) });
    expect(findCheck(checks, 'Acceleration')?.command).toBeUndefined();
  });

  it('is not ready where memory is short', async () => {
    await installEverything();
    await host.writeFile('proc/meminfo', 'MemTotal: 2097152 kB\nMemAvailable: 1048576 kB\n');
    const { ready, checks } = await doctor();
    expect(ready).toBe(false);
    expect(findCheck(checks, 'Memory')).toMatchObject({ status: 'missing', found: expect.stringContaining('1.0 GiB') });
  });

  it.each([
    ['one disk holds both', 5, 1, ['missing', 'ok']],
    ['one disk holds the cache, another the output', 5, 2, ['ok', 'ok']],
    ['neither has room', 1, 2, ['missing', 'missing']],
  ])('adds up the space: %s', async (_, freeGibibytes, devices, statuses) => {
    await installEverything();
    let calls = 0;
    const { checks } = await doctor(
      {},
      {
        readFolder: async (path) => {
          const fileSystem = devices === 2 ? calls++ : 0;
          return { path, obstacle: undefined, freeBytes: freeGibibytes * gibibyte, fileSystem };
        },
      },
    );
    const space = checks.filter((check) => check.item.startsWith('Space'));
    expect(space.map((check) => check.status)).toEqual(statuses);
  });

  it('is not ready where the output folder cannot be written', async () => {
    await installEverything();
    await host.writeFile('out', 'a file');
    const { ready, checks } = await doctor({}, { readFolder: readFolderFacts });
    expect(ready).toBe(false);
    expect(findCheck(checks, 'Space for the output')?.found).toBe(`${host.root}/out is not a folder`);
  });

  it('writes JSON and nothing else', async () => {
    await installEverything();
    const examination = await doctor({ json: true });
    expect(JSON.parse(output.join('\n'))).toEqual(JSON.parse(JSON.stringify(examination)));
    expect(log).toEqual([]);
  });

  it('tells in JSON of every item why it matters, also where all is well', async () => {
    await installEverything();
    await doctor({ json: true });
    const { checks } = JSON.parse(output.join('\n'));
    expect(checks.filter(({ status }: Check) => status === 'ok')).not.toEqual([]);
    expect(checks.filter(({ why }: Check) => !why)).toEqual([]);
  });
});

describe('doctor --fix', () => {
  const aptLog = (): Promise<string> => readFile(join(host.root, 'apt.log'), 'utf8').catch(() => '');
  const root = (): Partial<DoctorDeps> => ({ host: { ...host.source, userId: 0 } });
  const install = 'noninteractive -o DPkg::Lock::Timeout=120 install -y --no-install-recommends openssh-client';

  async function installAllButSsh(): Promise<void> {
    await installEverything();
    await writeAptGet();
    for (const name of ['ssh', 'ssh-keygen']) await host.removeProgram(name);
  }

  it('installs what is missing, once, without asking when told --yes, and examines again', async () => {
    await installAllButSsh();
    expect(await doctor({ fix: true, yes: true }, root())).toMatchObject({ ready: true });
    expect(await aptLog()).toBe(`noninteractive update\n${install}\n`);
    expect(log).toEqual(['$ apt-get update', '$ apt-get install -y --no-install-recommends openssh-client']);
  });

  it('leaves fresh package lists alone', async () => {
    await installAllButSsh();
    await host.writeFile('var/lib/apt/lists/mirror_Packages', '');
    await doctor({ fix: true, yes: true }, root());
    expect(await aptLog()).toBe(`${install}\n`);
  });

  it('asks, and takes a no', async () => {
    await installAllButSsh();
    const questions: string[] = [];
    const ask = async (question: string) => questions.push(question) > 1;
    expect(await doctor({ fix: true }, { ...root(), ask })).toMatchObject({ ready: false });
    expect(await aptLog()).toBe('');
    expect(questions).toEqual(['Run apt-get update && apt-get install -y --no-install-recommends openssh-client?']);
    expect(await doctor({ fix: true }, { ...root(), ask })).toMatchObject({ ready: true });
  });

  it('refuses where there is neither a terminal nor --yes', async () => {
    await installAllButSsh();
    await expect(doctor({ fix: true }, root())).rejects.toMatchObject({
      exitStatus: 2,
      problems: [{ place: '--fix', hint: expect.stringContaining('--yes') }],
    });
    expect(await aptLog()).toBe('');
  });

  it('goes through sudo for others than root, which may not wait for a password without a terminal', async () => {
    await installAllButSsh();
    await host.writeProgram('sudo', `echo "sudo $*" >> ${host.root}/apt.log; [ "$1" = -n ] && shift; shift; exec "$@"`);
    expect(await doctor({ fix: true, yes: true })).toMatchObject({ ready: true });
    expect((await aptLog()).split('\n')).toContain('sudo -n -- env DEBIAN_FRONTEND=noninteractive apt-get update');
  });

  it('gives the command where there is no sudo', async () => {
    await installAllButSsh();
    await expect(doctor({ fix: true, yes: true })).rejects.toMatchObject({
      code: 'needs-root',
      hint: 'As root, run: apt-get update && apt-get install -y --no-install-recommends openssh-client',
    });
  });

  it('tells the last lines of a package manager that fails', async () => {
    await installAllButSsh();
    await host.writeProgram('apt-get', 'echo "E: Unable to locate package"; exit 100');
    await expect(doctor({ fix: true, yes: true }, root())).rejects.toMatchObject({
      code: 'program-failed',
      evidence: expect.arrayContaining([{ title: 'Its last lines', lines: ['E: Unable to locate package'] }]),
    });
  });

  it('says what to see to where there is no package manager', async () => {
    await installAllButSsh();
    await host.removeProgram('apt-get');
    await expect(doctor({ fix: true, yes: true }, root())).rejects.toMatchObject({
      code: 'no-package-manager',
      hint: 'See to these yourself: OpenSSH client, ssh-keygen.',
    });
  });

  it('does nothing to a host that is well', async () => {
    await installEverything();
    await writeAptGet();
    expect(await doctor({ fix: true })).toMatchObject({ ready: true });
    expect(await aptLog()).toBe('');
  });
});
