import { execFile } from 'node:child_process';
import { rename, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Scope } from '../../src/lifecycle/scope.ts';
import { startMachine } from '../../src/machine/machine.ts';
import type { RunningMachine } from '../../src/machine/running-machine.ts';
import { exampleKey } from '../unit/example-ssh-key.ts';
import { type FakeSite, makeFakeSite, sha8 } from './fake-site.ts';

const call = promisify(execFile);
const outputs = ['web.qcow2', 'web.raw', 'web.manifest.json'];
const firstScript = 'echo first\n';
const secondScript = "#!/bin/sh\necho 'second'\n";
const example = "It's an example\n";

const settings = {
  formats: ['qcow2', 'raw'],
  users: [{ name: 'ops', sshKeys: [exampleKey] }],
  provision: [
    { packages: ['jq', 'tree'] },
    { scripts: [{ name: 'first', run: firstScript }] },
    { files: [{ path: '/etc/example', content: example }] },
    { scripts: [{ name: 'second', run: secondScript }] },
  ],
};

describe('a build with the fake QEMU', () => {
  let site: FakeSite;
  let recipe: string;
  beforeEach(async () => {
    site = await makeFakeSite();
    recipe = await site.writeRecipe('web', settings);
  });
  afterEach(() => site.close());

  const journal = (): Promise<string[]> => site.journalOf(join(site.outDir, 'web.raw'));

  it('leaves on the disk what was done, in order, and nothing else anywhere', async () => {
    const { exitCode, said } = await site.build({ subject: recipe, scenario: 'builds' }).ended;
    expect(exitCode, said).toBe(0);
    expect(await journal()).toEqual([
      expect.stringMatching(/^install [0-9a-f]{8}$/),
      'user ops',
      expect.stringMatching(/^file \/home\/ops\/\.ssh\/authorized_keys [0-9a-f]{8}$/),
      expect.stringMatching(/^file \/etc\/sudoers\.d\/kvmimg-user-ops [0-9a-f]{8}$/),
      'packages jq,tree',
      `script ${sha8(firstScript)}`,
      `file /etc/example ${sha8(example)}`,
      `script ${sha8(secondScript)}`,
      'sealed',
    ]);
    const starts = await site.machineStarts();
    expect(starts.map(({ machine, firstBoot }) => [machine, firstBoot])).toEqual([
      ['install', false],
      ['boot', false],
      ['boot', true],
    ]);
    expect(await site.leftovers(outputs)).toEqual([]);
    const commandLines = await site.commandLines();
    expect(commandLines.filter((line) => line.includes('sudo'))).not.toEqual([]);
    expect(commandLines.filter((line) => /10\.0\.2\.2|PRIVATE KEY/.test(line))).toEqual([]);
  });

  it('marks the disk alike for the same recipe, and otherwise for another answer to the installer', async () => {
    const installOf = async (args: readonly string[]): Promise<string | undefined> => {
      const built = await site.build({ subject: recipe, scenario: 'builds', args: ['--force', ...args] }).ended;
      expect(built.exitCode, built.said).toBe(0);
      return (await journal())[0];
    };
    const first = await installOf([]);
    expect(await installOf(['--no-cache'])).toBe(first);
    expect(await installOf(['--set', 'timezone=Europe/Berlin'])).not.toBe(first);
  }, 120_000);

  it('a provision script that exits 3: names the step, shows what it said, exit 1, nothing left', async () => {
    const commands = [{ match: 'second', code: 3, out: 'about to fail\n', err: 'no such thing\n' }];
    const { exitCode, said } = await site.build({ subject: recipe, scenario: { like: 'builds', commands } }).ended;
    expect(exitCode, said).toBe(1);
    expect(said).toMatch(/provision\[3\].*script second failed in the guest with exit code 3/);
    expect(said).toContain('about to fail');
    expect(said).toContain('no such thing');
    expect(await site.leftovers()).toEqual([]);
  });

  it('Ctrl-C while a provision script runs: cleans up and exits 130', async () => {
    const scenario = { like: 'builds', commands: [{ match: 'second', never: true }] };
    const build = site.build({ subject: recipe, scenario });
    await site.untilLogged(`unfinished script ${sha8(secondScript)}`);
    build.child.kill('SIGINT');
    expect((await build.ended).exitCode).toBe(130);
    expect(await site.leftovers()).toEqual([]);
  });
});

describe('the fake QEMU itself', () => {
  let site: FakeSite;
  let scope: Scope;
  beforeEach(async () => {
    site = await makeFakeSite();
    scope = new Scope();
    vi.stubEnv('FAKE_QEMU_SCENARIO', JSON.stringify({ like: 'builds', boot: [{ answerSsh: true }] }));
  });
  afterEach(async () => {
    vi.unstubAllEnvs();
    await scope.close();
    await site.close();
  });

  const fixture = (name: string): string => join(import.meta.dirname, '../../fixtures/bin', name);
  const path = (name: string): string => join(site.root, name);

  const startGuest = (disk: string): Promise<RunningMachine> =>
    startMachine(
      {
        ...{ arch: 'amd64', accel: 'tcg', cpuModel: 'max', cpus: 1, memoryBytes: 2 ** 28, firmware: { kind: 'bios' } },
        disks: [{ path: disk, format: 'qcow2', bus: 'virtio', cache: 'unsafe' }],
        network: { nic: 'virtio-net-pci', sshForward: true },
        noReboot: true,
      },
      { binary: fixture('qemu-system-x86_64'), workDir: path('m'), scope, signal: AbortSignal.timeout(20_000) },
    );
  const ssh = async (machine: RunningMachine, ...words: string[]): Promise<void> => {
    const running = call(fixture('ssh'), ['-T', '-o', `Port=${machine.sshPort}`, '127.0.0.1', '--', words.join(' ')]);
    running.child.stdin?.end();
    await running;
  };
  const journalOfQcow2 = async (disk: string): Promise<string[]> => {
    await call('qemu-img', ['convert', '-O', 'raw', disk, path('disk.raw')]);
    return site.journalOf(path('disk.raw'));
  };

  it('writes to the overlay from a live snapshot on, and holds what is below it open', async () => {
    const [base, moved, first, second] = ['base', 'moved', 'first', 'second'].map((name) => path(`${name}.qcow2`));
    if (!base || !moved || !first || !second) throw new Error('four names make four paths');
    await call('qemu-img', ['create', '-q', '-f', 'qcow2', base, '16M']);
    // The header says where the file below will be.
    await call('qemu-img', ['create', '-q', '-f', 'qcow2', '-u', '-b', moved, '-F', 'qcow2', first, '16M']);
    await call('qemu-img', ['create', '-q', '-f', 'qcow2', '-b', first, '-F', 'qcow2', '-u', second, '16M']);
    const machine = await startGuest(base);
    const snapshot = (file: string) => askQmp(path('m/qmp'), snapshotCommand(file));

    await ssh(machine, 'usermod -a -G adm -- one');
    expect(await snapshot(path('none'))).toMatchObject({ error: { desc: expect.stringContaining('No such file') } });
    expect(await snapshot(first)).toMatchObject({ return: {} });
    await ssh(machine, 'usermod -a -G adm -- two');
    await rename(base, moved);
    expect(await snapshot(second)).toMatchObject({ return: {} });
    await ssh(machine, 'usermod -a -G adm -- three');

    expect(await journalOfQcow2(moved)).toEqual(['group adm one']);
    expect(await journalOfQcow2(first)).toEqual(['group adm one', 'group adm two']);
    expect(await journalOfQcow2(second)).toEqual(['group adm one', 'group adm two', 'group adm three']);
  });

  it('boots from no disk on which nothing was installed, and ends where it cannot read one', async () => {
    vi.stubEnv('FAKE_QEMU_SCENARIO', 'builds');
    const disk = path('base.qcow2');
    await call('qemu-img', ['create', '-q', '-f', 'qcow2', disk, '16M']);
    const machine = await startGuest(disk);
    await vi.waitFor(() => expect(machine.lastSerialLines(5)).toEqual(['No bootable device.']), { timeout: 5_000 });
    await machine.kill();
    await writeFile(disk, 'QFI');
    const broken = await startGuest(disk);
    expect(await broken.exited).toMatchObject({ lastLines: [expect.stringContaining("can't open"), ''] });
  });

  it('its ssh ends with 255 when the machine is gone, and then the master is none', async () => {
    await call('qemu-img', ['create', '-q', '-f', 'qcow2', path('base.qcow2'), '16M']);
    const machine = await startGuest(path('base.qcow2'));
    const control = ['-o', `ControlPath=${path('control')}`, '-o', `Port=${machine.sshPort}`];
    const check = () => call(fixture('ssh'), ['-O', 'check', ...control, '127.0.0.1']);
    await expect(check()).rejects.toMatchObject({ code: 255 });
    const master = call(fixture('ssh'), ['-M', '-N', '-T', ...control, '127.0.0.1']);
    const gone = expect(master).rejects.toMatchObject({ code: 255 });
    await vi.waitFor(check, { timeout: 5_000 });
    await machine.kill();
    await gone;
    await expect(check()).rejects.toMatchObject({ code: 255 });
    await expect(ssh(machine, 'true')).rejects.toMatchObject({ code: 255 });
  });
});

function snapshotCommand(file: string): object {
  const args = { device: 'disk0', 'snapshot-file': file, format: 'qcow2', mode: 'existing' };
  return { execute: 'blockdev-snapshot-sync', id: 1, arguments: args };
}

/** One command over a QMP connection of its own: what is answered. */
async function askQmp(socketPath: string, command: object): Promise<unknown> {
  const socket = connect(socketPath);
  try {
    socket.write(`${JSON.stringify(command)}\n`);
    for await (const line of createInterface(socket)) if ('id' in JSON.parse(line)) return JSON.parse(line);
    return undefined;
  } finally {
    socket.destroy();
  }
}
