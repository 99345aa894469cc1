import { rmSync } from 'node:fs';
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemErrorCode } from '../../errors.ts';
import type { HostSource } from '../../host/facts.ts';
import { withScope } from '../../lifecycle/scope.ts';
import { registerKill } from '../../lifecycle/signals.ts';
import { start } from '../../process/start.ts';
import type { Arch } from '../../recipe/schema.ts';
import { probeGuests } from './probe-guest.ts';

export type HardwareAccel = 'kvm' | 'hvf';

export type ProbeResult =
  | { readonly works: true; readonly cpuModel: string; readonly reason: string }
  | { readonly works: false; readonly reason: string; readonly hint: string };

export interface AccelProbe {
  readonly accel: HardwareAccel;
  readonly arch: Arch;
  /** Path of QEMU for that architecture. */
  readonly binary: string;
  readonly signal: AbortSignal;
  /** How long the guest may take to answer. */
  readonly limitMs?: number;
}

/** A guest that is run by a processor answers in 100 ms, most of which is QEMU's own start. */
const answerLimitMs = 2_000;

/**
 * The processors that a machine may get, best first. Some nested hosts offer IA32_ARCH_CAPABILITIES and then refuse to
 * set it, whereupon QEMU aborts ("failed to set MSR 0x10a").
 */
const cpuModels: Readonly<Record<Arch, readonly string[]>> = {
  amd64: ['host', 'host,-arch-capabilities'],
  arm64: ['host'],
};

/**
 * Why the accelerator cannot work for such a guest, as far as that can be told without a guest; undefined when only a
 * guest can tell. Opens the device, nothing more.
 */
export async function findAccelObstacle(
  accel: HardwareAccel,
  arch: Arch,
  host: HostSource,
): Promise<(ProbeResult & { readonly works: false }) | undefined> {
  const platform = accel === 'kvm' ? 'linux' : 'darwin';
  if (host.platform !== platform) {
    const system = accel === 'kvm' ? 'Linux' : 'macOS';
    return obstacle(`${accel.toUpperCase()} is for ${system} hosts`, 'Use `--accel auto`.');
  }
  if (arch !== host.arch) {
    return obstacle(`an ${arch} guest on an ${host.arch} host must be emulated`, 'Use `--accel auto`.');
  }
  return accel === 'kvm' ? findDeviceObstacle(join(host.root, 'dev/kvm')) : undefined;
}

async function findDeviceObstacle(device: string) {
  try {
    await (await open(device, 'r+')).close();
    return undefined;
  } catch (error) {
    const code = systemErrorCode(error);
    if (code === 'ENOENT') {
      return obstacle(
        '/dev/kvm is missing',
        'Load the module (`sudo modprobe kvm_intel` or `kvm_amd`); turn virtualisation on in the firmware setup or, where this host is a virtual machine itself, in its hypervisor.',
      );
    }
    if (code === 'EACCES' || code === 'EPERM') {
      return obstacle(
        'this user may not open /dev/kvm',
        'Add yourself to its group, then log in again: `sudo usermod -aG kvm $USER`.',
      );
    }
    return obstacle(`/dev/kvm cannot be opened (${code})`, 'Load the module anew, or look into `dmesg`.');
  }
}

function obstacle(reason: string, hint: string) {
  return { works: false, reason, hint } as const;
}

/**
 * Lets a guest prove the accelerator, with the processor that machines will get. The guest has two seconds.
 *
 * @throws KvmimgError `program-missing`; the signal's reason when aborted.
 */
export async function probeAccel(probe: AccelProbe): Promise<ProbeResult> {
  const name = probe.accel.toUpperCase();
  const provenMode = probeGuests[probe.arch].provenMode;
  let refusal = '';
  for (const cpuModel of cpuModels[probe.arch]) {
    const outcome = await runProbeGuest(probe, cpuModel);
    if (outcome.kind === 'answered') {
      return { works: true, cpuModel, reason: `a ${name} guest answered from ${provenMode}` };
    }
    if (outcome.kind === 'silent') {
      const why = outcome.words === undefined ? '' : ` (QEMU: ${outcome.words})`;
      const reason = `${name} is there, but its guest did not answer from ${provenMode} within 2 s${why}`;
      return { works: false, reason, hint: brokenHint };
    }
    refusal ||= outcome.words;
  }
  return { works: false, reason: `QEMU could not initialise ${name}: ${refusal}`, hint: brokenHint };
}

const brokenHint =
  'Use `--accel auto` or `--accel tcg`; where this host is a virtual machine, its hypervisor does not pass hardware virtualisation on.';

type Outcome =
  | { readonly kind: 'answered' }
  /** The guest ran and did not answer; QEMU's words, where it had any. */
  | { readonly kind: 'silent'; readonly words: string | undefined }
  /** QEMU ended. */
  | { readonly kind: 'refused'; readonly words: string };

function runProbeGuest(probe: AccelProbe, cpuModel: string): Promise<Outcome> {
  return withScope(async (scope) => {
    const dir = await mkdtemp(join(tmpdir(), 'kvmimg-probe-'));
    const forget = registerKill(() => rmSync(dir, { recursive: true, force: true }));
    scope.defer(`folder ${dir}`, async () => {
      await rm(dir, { recursive: true, force: true });
      forget();
    });
    const romPath = join(dir, 'probe.rom');
    await writeFile(romPath, probeGuests[probe.arch].rom);
    return awaitAnswer(probe, probeArgs(probe, cpuModel, romPath));
  });
}

/** Nothing but what the proof needs. */
export function probeArgs(probe: Pick<AccelProbe, 'accel' | 'arch'>, cpuModel: string, romPath: string): string[] {
  return [
    ...['-name', 'kvmimg-probe'],
    '-nodefaults',
    '-no-user-config',
    ...probeGuests[probe.arch].machineArgs,
    ...['-accel', probe.accel],
    ...['-cpu', cpuModel],
    ...['-m', '64M'],
    ...['-bios', romPath],
    ...['-display', 'none'],
    '-no-reboot',
  ];
}

async function awaitAnswer(probe: AccelProbe, args: readonly string[]): Promise<Outcome> {
  let silent = false;
  let gaveUp: string | undefined;
  const process = await start(probe.binary, args, {
    onLine: (line) => {
      // KVM has given up on the guest, and QEMU keeps it as it is, for ever.
      if (/internal error/i.test(line)) gaveUp = line;
      if (gaveUp !== undefined) process.kill('SIGKILL');
    },
  });
  const stop = (): void => process.kill('SIGKILL');
  const timer = setTimeout(() => {
    silent = true;
    stop();
  }, probe.limitMs ?? answerLimitMs);
  probe.signal.addEventListener('abort', stop, { once: true });
  const exit = await process.exited;
  clearTimeout(timer);
  probe.signal.removeEventListener('abort', stop);
  probe.signal.throwIfAborted();
  if (exit.exitCode === probeGuests[probe.arch].answerStatus) return { kind: 'answered' };
  if (silent || gaveUp !== undefined) return { kind: 'silent', words: gaveUp };
  return { kind: 'refused', words: lastWords(exit.lastLines) ?? `it ended with ${exit.signal ?? exit.exitCode}` };
}

/** QEMU's last line that is no warning, without its own name. */
function lastWords(lines: readonly string[]): string | undefined {
  const line = lines.findLast((candidate) => candidate.trim() !== '' && !candidate.includes('warning:'));
  return line?.replace(/^\S*qemu\S*: /, '').trim();
}
