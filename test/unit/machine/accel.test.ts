import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { HostSource } from '../../../src/host/facts.ts';
import {
  type AccelQuestion,
  chooseAccel,
  chooseAccelAnew,
  describeDecision,
  findCachedAccel,
} from '../../../src/machine/accel/choose-accel.ts';
import { probeAccel } from '../../../src/machine/accel/probe-accel.ts';

const binary = new URL('../../../fixtures/bin/qemu-system-x86_64', import.meta.url).pathname;
const signal = new AbortController().signal;

let dir: string;
let host: HostSource;
let question: AccelQuestion & { readonly signal: AbortSignal };

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'kvmimg-test-'));
  host = { platform: 'linux', arch: 'amd64', env: process.env, root: join(dir, 'root'), userId: 1000 };
  await mkdir(join(host.root, 'dev'), { recursive: true });
  await writeFile(join(host.root, 'dev/kvm'), '');
  await boot('boot-1');
  question = { choice: 'auto', arch: 'amd64', binary, cacheDir: join(dir, 'cache'), host, signal };
  vi.stubEnv('FAKE_QEMU_LOG', join(dir, 'log'));
  vi.stubEnv('FAKE_QEMU_SCENARIO', 'installs');
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(dir, { recursive: true, force: true });
});

async function boot(id: string): Promise<void> {
  await mkdir(join(host.root, 'proc/sys/kernel/random'), { recursive: true });
  await writeFile(join(host.root, 'proc/sys/kernel/random/boot_id'), `${id}\n`);
}

async function countProbes(): Promise<number> {
  const text = await readFile(join(dir, 'log'), 'utf8').catch(() => '');
  return text.split('\n').filter((line) => line.includes('"-bios"')).length;
}

describe('chooseAccel', () => {
  it.each([
    ['installs', 'kvm', 'host', 'a KVM guest answered from 64-bit mode', 1],
    ['kvm-gives-up', 'tcg', 'max', 'its guest did not answer from 64-bit mode within 2 s (QEMU: KVM internal error', 1],
    ['kvm-refuses', 'tcg', 'max', 'QEMU could not initialise KVM: failed to set MSR 0x10a to 0x0', 2],
  ])('auto with a guest that does this: %s', async (scenario, accel, cpuModel, reason, probes) => {
    vi.stubEnv('FAKE_QEMU_SCENARIO', scenario);
    expect(await chooseAccel(question)).toEqual({
      accel,
      cpuModel,
      reason: expect.stringContaining(reason),
      fromCache: false,
    });
    expect(await countProbes()).toBe(probes);
  });

  it('auto decides within three seconds when the guest hangs', async () => {
    vi.stubEnv('FAKE_QEMU_SCENARIO', 'kvm-hangs');
    const startedMs = performance.now();
    expect(await chooseAccel(question)).toMatchObject({
      accel: 'tcg',
      reason: 'KVM is there, but its guest did not answer from 64-bit mode within 2 s',
    });
    expect(performance.now() - startedMs).toBeLessThan(3_000);
  });

  it.each([
    ['/dev/kvm is missing', () => rm(join(host.root, 'dev/kvm')), /modprobe/],
    // A folder cannot be opened for writing, whoever asks: permissions do not bind root.
    [
      '/dev/kvm cannot be opened (EISDIR)',
      async () => {
        await rm(join(host.root, 'dev/kvm'));
        await mkdir(join(host.root, 'dev/kvm'));
      },
      /dmesg/,
    ],
  ])('says why without a guest: %s', async (reason, prepare, hint) => {
    await prepare();
    expect(await chooseAccel(question)).toEqual({ accel: 'tcg', cpuModel: 'max', reason, fromCache: false });
    await expect(chooseAccel({ ...question, choice: 'kvm' })).rejects.toMatchObject({
      code: 'accel-unusable',
      message: `The accelerator kvm cannot be used: ${reason}.`,
      hint: expect.stringMatching(hint),
    });
    expect(await countProbes()).toBe(0);
  });

  it('does not emulate on Linux what only a Mac can accelerate', async () => {
    const asking = chooseAccel({ ...question, choice: 'hvf' });
    await expect(asking).rejects.toMatchObject({ message: expect.stringContaining('HVF is for macOS hosts') });
  });

  it('emulates another architecture, and says so', async () => {
    expect(await chooseAccel({ ...question, arch: 'arm64' })).toMatchObject({
      accel: 'tcg',
      reason: 'an arm64 guest on an amd64 host must be emulated',
    });
  });

  it('emulates when asked to, whatever works', async () => {
    expect(await chooseAccel({ ...question, choice: 'tcg' })).toMatchObject({
      accel: 'tcg',
      reason: 'it was asked for',
    });
    expect(await countProbes()).toBe(0);
  });

  it('ends at once with the reason where kvm was asked for and does not work', async () => {
    vi.stubEnv('FAKE_QEMU_SCENARIO', 'kvm-gives-up');
    await expect(chooseAccel({ ...question, choice: 'kvm' })).rejects.toMatchObject({
      code: 'accel-unusable',
      message: expect.stringContaining('did not answer from 64-bit mode'),
      hint: expect.stringContaining('--accel auto'),
    });
  });

  it('stops when it is aborted', async () => {
    vi.stubEnv('FAKE_QEMU_SCENARIO', 'kvm-hangs');
    const controller = new AbortController();
    setTimeout(() => controller.abort(new Error('Ctrl-C')), 200);
    const startedMs = performance.now();
    await expect(chooseAccel({ ...question, signal: controller.signal })).rejects.toThrow('Ctrl-C');
    expect(performance.now() - startedMs).toBeLessThan(1_500);
  });
});

describe('the cache of the decision', () => {
  it('answers without a guest while the host is up', async () => {
    await chooseAccel(question);
    expect(await chooseAccel(question)).toMatchObject({ accel: 'kvm', cpuModel: 'host', fromCache: true });
    expect(await countProbes()).toBe(1);
  });

  it.each([
    ['another boot', () => boot('boot-2')],
    ['another device', () => chmod(join(host.root, 'dev/kvm'), 0o600)],
    ['a damaged file', () => writeFile(join(dir, 'cache/accel.json'), '{"version":1,"ke')],
    ['a file of another version', () => writeFile(join(dir, 'cache/accel.json'), '{"version":1}')],
  ])('asks again after %s', async (_title, change) => {
    await chooseAccel(question);
    await change();
    expect(await chooseAccel(question)).toMatchObject({ accel: 'kvm', fromCache: false });
    expect(await countProbes()).toBe(2);
  });

  it('does not outlive the device', async () => {
    await chooseAccel(question);
    await rm(join(host.root, 'dev/kvm'));
    expect(await chooseAccel(question)).toMatchObject({ accel: 'tcg', reason: '/dev/kvm is missing' });
  });

  it('is not believed when it says no and kvm is asked for', async () => {
    vi.stubEnv('FAKE_QEMU_SCENARIO', 'kvm-gives-up');
    expect(await chooseAccel(question)).toMatchObject({ accel: 'tcg' });
    vi.stubEnv('FAKE_QEMU_SCENARIO', 'installs');
    expect(await chooseAccel(question)).toMatchObject({ accel: 'tcg', fromCache: true });
    expect(await chooseAccel({ ...question, choice: 'kvm' })).toMatchObject({ accel: 'kvm', fromCache: false });
  });

  it.each([
    ['believes a no for ten minutes', 'kvm-gives-up', 10, { accel: 'tcg', fromCache: true }],
    ['asks again after that', 'kvm-gives-up', 11, { accel: 'kvm', fromCache: false }],
    ['asks again when the clock was put back', 'kvm-gives-up', -60, { accel: 'kvm', fromCache: false }],
    ['believes a yes until the host boots again', 'installs', 60 * 24 * 30, { accel: 'kvm', fromCache: true }],
  ])('%s', async (_, scenario, minutes, decision) => {
    vi.stubEnv('FAKE_QEMU_SCENARIO', scenario);
    await chooseAccel(question);
    vi.stubEnv('FAKE_QEMU_SCENARIO', 'installs');
    const path = join(dir, 'cache/accel.json');
    const cache = JSON.parse(await readFile(path, 'utf8'));
    // Some seconds less than the minutes: the test takes time, too.
    await writeFile(path, JSON.stringify({ ...cache, foundAtMs: cache.foundAtMs - minutes * 60_000 + 30_000 }));
    expect(await chooseAccel(question)).toMatchObject(decision);
  });

  it('is what doctor has found, whatever was known before', async () => {
    vi.stubEnv('FAKE_QEMU_SCENARIO', 'kvm-gives-up');
    expect(await chooseAccel(question)).toMatchObject({ accel: 'tcg' });
    vi.stubEnv('FAKE_QEMU_SCENARIO', 'installs');
    expect(await chooseAccelAnew(question)).toMatchObject({ accel: 'kvm', fromCache: false });
    expect(await chooseAccel(question)).toMatchObject({ accel: 'kvm', fromCache: true });
    expect(await countProbes()).toBe(2);
    await rm(join(host.root, 'dev/kvm'));
    expect(await chooseAccelAnew(question)).toMatchObject({ accel: 'tcg', reason: '/dev/kvm is missing' });
  });

  it('is told of as such where it says no, with the way to ask again', async () => {
    vi.stubEnv('FAKE_QEMU_SCENARIO', 'kvm-refuses');
    const reason = 'QEMU could not initialise KVM: failed to set MSR 0x10a to 0x0';
    expect(describeDecision(await chooseAccel(question))).toBe(`tcg (${reason})`);
    const again = '; found earlier, `kvmimg doctor` tries again';
    expect(describeDecision(await chooseAccel(question))).toBe(`tcg (${reason}${again})`);
    vi.stubEnv('FAKE_QEMU_SCENARIO', 'installs');
    await chooseAccelAnew(question);
    expect(describeDecision(await chooseAccel(question))).toBe('kvm (a KVM guest answered from 64-bit mode)');
  });

  it('is one whole file', async () => {
    await Promise.all([chooseAccel(question), chooseAccel(question)]);
    expect(await readdir(join(dir, 'cache'))).toEqual(['accel.json']);
  });

  it('may be a folder that cannot be made', async () => {
    await writeFile(join(dir, 'cache'), 'a file');
    expect(await chooseAccel(question)).toMatchObject({ accel: 'kvm' });
  });
});

describe('findCachedAccel', () => {
  it('knows nothing before the first build, and touches nothing', async () => {
    expect(await findCachedAccel(question)).toBeUndefined();
    expect(await readdir(dir)).toEqual(['root']);
  });

  it('knows afterwards', async () => {
    await chooseAccel(question);
    expect(await findCachedAccel(question)).toMatchObject({ accel: 'kvm', fromCache: true });
  });

  it('knows what needs no guest', async () => {
    expect(await findCachedAccel({ ...question, choice: 'tcg' })).toMatchObject({ accel: 'tcg' });
    expect(await findCachedAccel({ ...question, arch: 'arm64' })).toMatchObject({ accel: 'tcg' });
    await expect(findCachedAccel({ ...question, arch: 'arm64', choice: 'kvm' })).rejects.toMatchObject({
      code: 'accel-unusable',
    });
  });
});

describe('probeAccel', () => {
  it('tries the host’s processor without what some nested hosts refuse to set', async () => {
    vi.stubEnv('FAKE_QEMU_SCENARIO', JSON.stringify({ probe: 'refuses', probeAnswersFor: 'host,-arch-capabilities' }));
    expect(await probeAccel({ accel: 'kvm', arch: 'amd64', binary, signal })).toMatchObject({
      works: true,
      cpuModel: 'host,-arch-capabilities',
    });
  });

  it('leaves nothing behind', async () => {
    const probes = async () => (await readdir(tmpdir())).filter((name) => name.startsWith('kvmimg-probe-')).length;
    const before = await probes();
    await probeAccel({ accel: 'kvm', arch: 'amd64', binary, signal });
    expect(await probes()).toBe(before);
  });
});
