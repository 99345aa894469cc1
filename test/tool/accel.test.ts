import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { assemble } from '../../fixtures/guests/assemble.ts';
import { KvmimgError } from '../../src/errors.ts';
import { thisHost } from '../../src/host/facts.ts';
import { findQemuSystem } from '../../src/host/programs.ts';
import { chooseAccel } from '../../src/machine/accel/choose-accel.ts';
import { amd64Guest, probeGuests } from '../../src/machine/accel/probe-guest.ts';
import { run } from '../../src/process/run.ts';

const source = new URL('../../src/machine/accel/probe-guest.S', import.meta.url).pathname;
const signal = new AbortController().signal;
let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'kvmimg-test-'));
});

afterEach(() => rm(dir, { recursive: true, force: true }));

async function findQemu(): Promise<string> {
  return (await findQemuSystem('amd64', thisHost)) ?? 'none';
}

describe('the guest of the accelerator probe', () => {
  it('is what its source assembles to', async () => {
    const assembled = await assemble(source, 0xffff_fe00);
    expect(amd64Guest.toString('base64')).toBe(assembled.toString('base64'));
  });

  it.each([
    ['answers from 64-bit mode', 'max', 85],
    // Without long mode there is a triple fault, on which -no-reboot ends QEMU.
    ['is silent on a processor without 64-bit mode', 'max,lm=off', 0],
    ['is silent on a processor without SSE2', 'max,sse=off,sse2=off', 0],
  ])('%s', async (_title, cpuModel, status) => {
    const rom = join(dir, 'probe.rom');
    await writeFile(rom, probeGuests.amd64.rom);
    const args = ['-nodefaults', '-no-user-config', ...probeGuests.amd64.machineArgs, '-accel', 'tcg'];
    const result = await run(
      await findQemu(),
      [...args, '-cpu', cpuModel, '-bios', rom, '-display', 'none', '-no-reboot'],
      {
        okExitCodes: [0, 85],
        timeoutMs: 20_000,
      },
    );
    expect(result.exitCode).toBe(status);
  });
});

describe('the accelerator of this host', () => {
  it('is decided within three seconds, and then known', async () => {
    const question = { choice: 'auto', arch: 'amd64', binary: await findQemu(), cacheDir: dir, signal } as const;
    const startedMs = performance.now();
    const first = await chooseAccel(question);
    expect(performance.now() - startedMs).toBeLessThan(3_500);
    expect(['kvm', 'tcg']).toContain(first.accel);
    expect(first.reason).not.toBe('');
    const second = await chooseAccel(question);
    expect(second).toMatchObject({ accel: first.accel, cpuModel: first.cpuModel, reason: first.reason });
  });

  it('is refused with its reason where it was asked for and does not work', async () => {
    const question = { arch: 'amd64', binary: await findQemu(), cacheDir: dir, signal } as const;
    const auto = await chooseAccel({ ...question, choice: 'auto' });
    const asked = await chooseAccel({ ...question, choice: 'kvm' }).catch((error: unknown) => error);
    if (auto.accel === 'kvm') {
      expect(asked).toMatchObject({ accel: 'kvm' });
    } else {
      expect(asked).toBeInstanceOf(KvmimgError);
      expect(asked).toMatchObject({ code: 'accel-unusable', message: expect.stringContaining(auto.reason) });
    }
  });
});
