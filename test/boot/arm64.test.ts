import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { assemble, makeArm64TestKernel } from '../../fixtures/guests/assemble.ts';
import { thisHost } from '../../src/host/facts.ts';
import { findQemuSystem } from '../../src/host/programs.ts';
import { Scope } from '../../src/lifecycle/scope.ts';
import { chooseAccel } from '../../src/machine/accel/choose-accel.ts';
import { probeGuests } from '../../src/machine/accel/probe-guest.ts';
import { findFirmware } from '../../src/machine/firmware.ts';
import { startMachine } from '../../src/machine/machine.ts';
import { cpuModelOf, type MachineSpec } from '../../src/machine/machine-spec.ts';
import type { RunningMachine } from '../../src/machine/running-machine.ts';
import { run } from '../../src/process/run.ts';
import { waitUntil } from '../../src/wait/wait-until.ts';

const binary = 'qemu-system-aarch64';
const signal = new AbortController().signal;

let dir: string;
let scope: Scope;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'kvmimg, test-'));
  scope = new Scope();
});

afterEach(async () => {
  await scope.close();
  await rm(dir, { recursive: true, force: true });
});

const kernelArguments = ['auto=true', 'url=http://10.0.2.2:1/token/preseed.cfg', 'a=1,2', '---'];

/** A machine that boots the test kernel, as an installer's is booted: directly, and yet by its firmware. */
async function startGuest(changes: Partial<MachineSpec> = {}): Promise<RunningMachine> {
  const [kernelPath, initrdPath, diskPath] = ['linux', 'initrd', 'disk.raw'].map((name) => join(dir, name)) as [
    string,
    string,
    string,
  ];
  await writeFile(kernelPath, await makeArm64TestKernel());
  await writeFile(initrdPath, 'no initrd');
  await writeFile(diskPath, Buffer.alloc(1024 * 1024));
  const spec: MachineSpec = {
    arch: 'arm64',
    accel: 'tcg',
    cpuModel: cpuModelOf('tcg', 'arm64'),
    cpus: 2,
    memoryBytes: 512 * 1024 * 1024,
    firmware: await findFirmware('arm64'),
    disks: [{ path: diskPath, format: 'raw', bus: 'virtio', cache: 'unsafe', serial: 'kvmimg-root' }],
    network: { nic: 'virtio-net-pci', sshForward: true },
    directBoot: { kernelPath, initrdPath, kernelArguments },
    noReboot: true,
    ...changes,
  };
  return startMachine(spec, { binary, workDir: join(dir, 'work'), scope, signal });
}

function awaitLine(machine: RunningMachine, text: string): Promise<string> {
  return waitUntil({
    subject: `"${text}" on the serial console`,
    limitMs: 50_000,
    signal,
    check: () => machine.lastSerialLines(50).find((line) => line.includes(text)),
    witness: () => [{ title: 'Serial', lines: machine.lastSerialLines(50) }],
  });
}

describe('an arm64 machine', () => {
  it('boots a kernel by UEFI with its arguments, shows its screen, and powers off by ACPI', async () => {
    const machine = await startGuest();
    const commandLine = await readFile(`/proc/${machine.pid}/cmdline`, 'utf8');
    expect(await awaitLine(machine, 'hello from the guest')).toContain(kernelArguments.join(' '));
    await awaitLine(machine, 'waiting');
    expect(commandLine).not.toContain('token');
    expect(machine.sshPort).toBeGreaterThan(0);
    const picture = await machine.screenshot(join(dir, 'screen.png'));
    expect((await readFile(picture ?? '')).subarray(1, 4).toString()).toBe('PNG');
    expect(await machine.powerDown({ graceMs: 10_000 })).toMatchObject({ kind: 'guest-shutdown', exitCode: 0 });
    expect(machine.lastSerialLines(3)).toContain('the button was pressed');
  });

  it.each(['pvscsi', 'sata', 'nvme'] as const)(
    'has a disk on %s, a CD-ROM, more than eight processors, and its SMBIOS serial number',
    async (bus) => {
      const path = join(dir, 'disk.raw');
      const iso = join(dir, 'a, b.iso');
      await writeFile(iso, Buffer.alloc(1024 * 1024));
      const secret = 'ds=nocloud;s=http://10.0.2.2:1/token/';
      const machine = await startGuest({
        cpus: 9,
        cdroms: [iso],
        disks: [{ path, format: 'raw', bus, cache: 'unsafe', serial: 'kvmimg-root' }],
        network: { nic: 'e1000e', sshForward: false },
        smbiosSystemSerial: secret,
      });
      await awaitLine(machine, 'waiting');
      const dump = join(dir, 'memory');
      await machine.qmp.execute('human-monitor-command', {
        'command-line': `pmemsave 0x40000000 0x20000000 "${dump}"`,
      });
      expect((await readFile(dump)).includes(`QEMU\0Virtual Machine\0${secret}\0`)).toBe(true);
      expect(await readFile(`/proc/${machine.pid}/cmdline`, 'utf8')).not.toContain('token');
      expect(await machine.powerDown({ graceMs: 10_000 })).toMatchObject({ kind: 'guest-shutdown' });
    },
  );
});

describe('the guest of the accelerator probe', () => {
  it('is what its instructions assemble to', async () => {
    const source = join(dir, 'probe.S');
    const instructions = ['movz w0, #0x8400, lsl #16', 'movk w0, #8', 'hvc #0', 'wfi', 'b . - 4'];
    await writeFile(source, ['.globl _start', '_start:', ...instructions, ''].join('\n'));
    expect(await assemble(source, 0, 'arm64')).toEqual(probeGuests.arm64.rom);
  });

  it('answers on arm64', async () => {
    const rom = join(dir, 'probe.rom');
    const { rom: bytes, machineArgs, answerStatus } = probeGuests.arm64;
    await writeFile(rom, bytes);
    const args = ['-nodefaults', '-no-user-config', ...machineArgs, '-accel', 'tcg', '-cpu', 'max', '-m', '64M'];
    const result = await run(binary, [...args, '-bios', rom, '-display', 'none', '-no-reboot'], { timeoutMs: 20_000 });
    expect(result.exitCode).toBe(answerStatus);
  });

  it('is not asked for another architecture than the host’s, which can only be emulated', async () => {
    const [arch, other] = thisHost.arch === 'amd64' ? (['arm64', 'amd64'] as const) : (['amd64', 'arm64'] as const);
    const qemu = (await findQemuSystem(arch, thisHost)) ?? 'none';
    expect(await chooseAccel({ choice: 'auto', arch, binary: qemu, cacheDir: dir, signal })).toEqual({
      accel: 'tcg',
      cpuModel: cpuModelOf('tcg', arch),
      reason: `an ${arch} guest on an ${other} host must be emulated`,
      fromCache: false,
    });
  });
});
