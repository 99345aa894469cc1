import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeDoctorDeps } from '../../src/doctor/doctor-deps.ts';
import { runDoctor } from '../../src/doctor/run-doctor.ts';
import { type HostSource, thisHost } from '../../src/host/facts.ts';
import { type FakeHost, makeFakeHost } from '../unit/host/fake-host.ts';

let fake: FakeHost | undefined;
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kvmimg-doctor-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true });
  await fake?.remove();
});

async function examine(host: HostSource) {
  const lines: string[] = [];
  const { signal } = new AbortController();
  const write = (line: string): void => void lines.push(line);
  const deps = makeDoctorDeps({ cacheDir: folder, outputDir: folder, signal, write, log: () => {}, host });
  const startedMs = performance.now();
  const examination = await runDoctor({ fix: false, yes: false, json: true }, deps);
  const seconds = (performance.now() - startedMs) / 1000;
  const accelCheck = examination.checks.find((check) => check.item === 'Acceleration');
  return { ...examination, accelCheck, seconds, json: lines.join('\n') };
}

const fixtureBin = join(import.meta.dirname, '../../fixtures/bin');

/** A host with a KVM that opens. */
async function makeHostWithKvm(): Promise<FakeHost> {
  fake = await makeFakeHost();
  await fake.writeFile('dev/kvm', '');
  return fake;
}

describe('doctor with real tools', () => {
  it('examines this host in less than 5 seconds, and says which accelerator a guest has proven', async () => {
    const { ready, accel, accelCheck, checks, seconds, json } = await examine(thisHost);
    expect(checks.filter((check) => check.status === 'missing')).toEqual([]);
    expect(ready).toBe(true);
    expect(seconds).toBeLessThan(5);
    expect(accelCheck?.status).toBe(accel === 'tcg' ? 'warning' : 'ok');
    expect(accelCheck?.found).toMatch(/^(tcg: |kvm: a KVM guest answered|hvf: an? HVF guest answered)/);
    expect(JSON.parse(json)).toMatchObject({ ready, accel, checks: [{ item: 'QEMU for x86_64' }, ...checks.slice(1)] });
  });

  it('says kvm where the guest of QEMU answers', async () => {
    const { source } = await makeHostWithKvm();
    expect((await examine({ ...source, env: { PATH: fixtureBin } })).accelCheck).toMatchObject({
      status: 'ok',
      found: 'kvm: a KVM guest answered from 64-bit mode',
    });
  });

  it('leaves what it has found to the builds', async () => {
    const { source, writeFile } = await makeHostWithKvm();
    await writeFile('proc/sys/kernel/random/boot_id', 'boot-1\n');
    await examine({ ...source, env: { PATH: fixtureBin } });
    expect(JSON.parse(await readFile(join(folder, 'accel.json'), 'utf8'))).toMatchObject({ result: { works: true } });
  });

  it('says tcg where KVM opens and its guest hangs', async () => {
    const { source, writeProgram } = await makeHostWithKvm();
    await writeProgram('qemu-system-x86_64', 'case "$*" in *probe*) exec /bin/sleep 60;; *) echo version 9.0.0;; esac');
    const { accel, accelCheck, seconds } = await examine(source);
    expect(accel).toBe('tcg');
    expect(accelCheck?.found).toMatch(/^tcg: KVM is there, but its guest did not answer/);
    expect(seconds).toBeLessThan(5);
  });
});
