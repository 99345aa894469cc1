import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type GuestMode, makeGuestDisk, makeTestKernel } from '../../fixtures/guests/assemble.ts';
import { Scope } from '../../src/lifecycle/scope.ts';
import { findFirmware } from '../../src/machine/firmware.ts';
import { startMachine } from '../../src/machine/machine.ts';
import type { MachineSpec } from '../../src/machine/machine-spec.ts';
import type { RunningMachine } from '../../src/machine/running-machine.ts';
import { waitUntil } from '../../src/wait/wait-until.ts';

const binary = 'qemu-system-x86_64';
const signal = new AbortController().signal;

const emptyMachine: MachineSpec = {
  arch: 'amd64',
  accel: 'tcg',
  cpuModel: 'max',
  cpus: 2,
  memoryBytes: 128 * 1024 * 1024,
  firmware: { kind: 'bios' },
  disks: [],
  network: { nic: 'virtio-net-pci', sshForward: true },
  noReboot: true,
};

let dir: string;
let scope: Scope;

beforeEach(async () => {
  // A name with a comma and a space, which QEMU's option syntax must survive.
  dir = await mkdtemp(join(tmpdir(), 'kvmimg, test-'));
  scope = new Scope();
});

afterEach(async () => {
  await scope.close();
  await rm(dir, { recursive: true, force: true });
});

async function startGuest(mode: GuestMode, changes: Partial<MachineSpec> = {}): Promise<RunningMachine> {
  const path = join(dir, 'guest.raw');
  await writeFile(path, await makeGuestDisk(mode));
  const disks = [{ path, format: 'raw', bus: 'virtio', cache: 'unsafe', serial: 'kvmimg-root' }] as const;
  return startMachine({ ...emptyMachine, disks, ...changes }, { binary, workDir: join(dir, 'work'), scope, signal });
}

function awaitLine(machine: RunningMachine, text: string): Promise<string> {
  return waitUntil({
    subject: `"${text}" on the serial console`,
    limitMs: 40_000,
    signal,
    check: () => machine.lastSerialLines(50).find((line) => line.includes(text)),
    witness: () => [{ title: 'Serial', lines: machine.lastSerialLines(50) }],
  });
}

describe('a real machine', () => {
  it('runs, shows a prompt and its screen, forwards a port, and powers off when asked', async () => {
    const lines: string[] = [];
    const path = join(dir, 'guest.raw');
    await writeFile(path, await makeGuestDisk('button'));
    const machine = await startMachine(
      { ...emptyMachine, disks: [{ path, format: 'raw', bus: 'virtio', cache: 'unsafe' }] },
      { binary, workDir: join(dir, 'work'), scope, signal, onSerialLine: (line) => lines.push(line) },
    );
    await awaitLine(machine, 'hello from the guest');
    await waitUntil({
      subject: 'the prompt',
      limitMs: 1_000,
      signal,
      check: () => (lines.includes('prompt>') ? true : undefined),
    });
    expect(machine.sshPort).toBeGreaterThan(0);
    expect(await machine.qmp.execute('query-status')).toEqual({ status: 'running' });
    const picture = await machine.screenshot(join(dir, 'screen.png'));
    expect((await readFile(picture ?? '')).subarray(1, 4).toString()).toBe('PNG');
    const exit = await machine.powerDown({ graceMs: 5_000 });
    expect(exit).toMatchObject({ kind: 'guest-shutdown', exitCode: 0, description: 'The guest powered off.' });
    expect(lines).toContain('the button was pressed');
    expect(machine.hasExited()).toBe(true);
  });

  it('is ended although the guest ignores its power button, and leaves no socket', async () => {
    const machine = await startGuest('ignore');
    await awaitLine(machine, 'hello');
    expect(await machine.powerDown({ graceMs: 300 })).toMatchObject({ kind: 'quit', exitCode: 0 });
    expect(await readdir(join(dir, 'work'))).not.toContain('qmp');
  });

  it.each([
    ['powerOff', 'guest-shutdown'],
    ['reset', 'guest-reset'],
    ['panic', 'guest-panic'],
  ] as const)('tells how it ended: %s', async (mode, kind) => {
    const machine = await startGuest(mode);
    expect(await machine.exited).toMatchObject({ kind, exitCode: 0 });
    expect(machine.lastSerialLines(5)).toContain('hello from the guest');
  });

  it('keeps the screen of a panic', async () => {
    const machine = await startGuest('panic');
    await machine.exited;
    expect(await machine.screenshot(join(dir, 'late.png'))).toBe(join(dir, 'late.png'));
    expect((await readFile(join(dir, 'late.png'))).subarray(1, 4).toString()).toBe('PNG');
  });

  it('ends when the disk of the host is full', async () => {
    const image = join(dir, 'full.raw');
    await writeFile(image, await makeGuestDisk('writeDisk'));
    const errors = join(dir, 'errors.cfg');
    await writeFile(errors, '[inject-error]\nevent = "pwritev"\nerrno = "28"\n');
    const path = `blkdebug:${errors}:${image}`;
    const machine = await startGuest('writeDisk', {
      disks: [{ path, format: 'raw', bus: 'virtio', cache: 'writeback' }],
    });
    expect(await machine.exited).toMatchObject({
      kind: 'no-space',
      description: 'No space is left on the disk of the host.',
    });
  });

  it('is killed at once', async () => {
    const machine = await startGuest('ignore');
    expect(await machine.kill()).toMatchObject({ kind: 'killed', signal: 'SIGKILL' });
    expect(await machine.screenshot(join(dir, 'none.png'))).toBeUndefined();
  });

  it.each(['pvscsi', 'sata', 'nvme'] as const)(
    'boots from a disk on %s, with the NICs of other machines',
    async (bus) => {
      const path = join(dir, 'guest.raw');
      await writeFile(path, await makeGuestDisk('powerOff'));
      const machine = await startGuest('powerOff', {
        disks: [{ path, format: 'raw', bus, cache: 'writeback', serial: 'kvmimg-root' }],
        network: { nic: bus === 'pvscsi' ? 'vmxnet3' : 'e1000e', sshForward: true },
      });
      expect(await machine.exited).toMatchObject({ kind: 'guest-shutdown' });
    },
  );

  it('gives the guest its SMBIOS serial number, and no secret to the process list', async () => {
    const secret = 'ds=nocloud;s=http://10.0.2.2:1/token/';
    const machine = await startGuest('ignore', { smbiosSystemSerial: secret });
    await awaitLine(machine, 'hello');
    // SeaBIOS puts the tables below 1 MiB or at the end of memory, and says where.
    const dump = join(dir, 'memory');
    await machine.qmp.execute('human-monitor-command', { 'command-line': `pmemsave 0 0x8000000 "${dump}"` });
    expect((await readFile(dump)).includes(`QEMU\0Virtual Machine\0${secret}\0`)).toBe(true);
    expect(await readFile(`/proc/${machine.pid}/cmdline`, 'utf8')).not.toContain('token');
  });

  it('boots a kernel with its arguments, and shows none of them to the process list', async () => {
    // QEMU takes the initrd of a Multiboot kernel, unlike that of Linux, as a list separated by commas.
    const [kernelPath, initrdPath] = [join(dir, 'kernel'), '/dev/null'];
    await writeFile(kernelPath, await makeTestKernel());
    const kernelArguments = ['auto=true', 'url=http://10.0.2.2:1/token/preseed.cfg', '---', 'a=1,2', "b='%s'\\n"];
    const machine = await startGuest('ignore', { directBoot: { kernelPath, initrdPath, kernelArguments } });
    const commandLine = await readFile(`/proc/${machine.pid}/cmdline`, 'utf8');
    expect(await machine.exited).toMatchObject({ kind: 'guest-shutdown' });
    expect(machine.lastSerialLines(1)[0]).toContain(kernelArguments.join(' '));
    expect(commandLine).not.toContain('token');
    expect((await stat(join(dir, 'work/machine.cfg'))).mode & 0o777).toBe(0o600);
    expect((await stat(join(dir, 'work'))).mode & 0o777).toBe(0o700);
  });

  it('shows the UEFI firmware', async () => {
    const machine = await startGuest('ignore', { firmware: await findFirmware('amd64') });
    await awaitLine(machine, 'BdsDxe');
    const screen = await machine.screenshot(join(dir, 'uefi.png'));
    expect(screen).toBeDefined();
  });

  it('works in a folder whose path is too long for a socket', async () => {
    const path = join(dir, 'guest.raw');
    await writeFile(path, await makeGuestDisk('powerOff'));
    const machine = await startMachine(
      { ...emptyMachine, disks: [{ path, format: 'raw', bus: 'virtio', cache: 'unsafe' }] },
      { binary, workDir: join(dir, 'deep'.repeat(30)), scope, signal },
    );
    expect(await machine.exited).toMatchObject({ kind: 'guest-shutdown' });
    const before = await readdir(tmpdir());
    await scope.close();
    const after = await readdir(tmpdir());
    const sockets = (names: string[]) => names.filter((name) => name.startsWith('kvmimg-socket-')).length;
    expect(sockets(after)).toBe(sockets(before) - 1);
  });

  it("fails with QEMU's own words when it does not start", async () => {
    const starting = startGuest('ignore', { cpuModel: 'nonesuch' });
    await expect(starting).rejects.toMatchObject({
      code: 'qemu-start',
      message: expect.stringContaining("unable to find CPU model 'nonesuch'"),
    });
  });
});
