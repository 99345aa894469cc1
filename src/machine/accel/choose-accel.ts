import { KvmimgError } from '../../errors.ts';
import { type HostSource, thisHost } from '../../host/facts.ts';
import type { AccelChoice } from '../../plan/plan.ts';
import type { Arch } from '../../recipe/schema.ts';
import { type Accel, cpuModelOf } from '../machine-spec.ts';
import { readCachedProbe, readProbeKey, writeCachedProbe } from './accel-cache.ts';
import { findAccelObstacle, type HardwareAccel, type ProbeResult, probeAccel } from './probe-accel.ts';

export interface AccelDecision {
  readonly accel: Accel;
  readonly cpuModel: string;
  /** Why, as a clause: `KVM is there, but its guest did not answer …`. */
  readonly reason: string;
  readonly fromCache: boolean;
}

export interface AccelQuestion {
  readonly choice: AccelChoice;
  readonly arch: Arch;
  /** Path of QEMU for that architecture. */
  readonly binary: string;
  /** Keeps the answer of a probe. */
  readonly cacheDir: string;
  readonly host?: HostSource;
}

interface Finding {
  readonly accel: HardwareAccel;
  readonly result: ProbeResult;
  readonly fromCache: boolean;
}

type RunningQuestion = AccelQuestion & { readonly signal: AbortSignal };

/**
 * Decides how machines run. A probe's yes is believed until the host boots again, its no for ten minutes, except that
 * `--accel kvm` never believes an earlier failure.
 *
 * @throws KvmimgError `accel-unusable` when the accelerator that was asked for does not work; the signal's reason.
 */
export async function chooseAccel(question: RunningQuestion): Promise<AccelDecision> {
  const accel = accelToTry(question);
  if (accel === undefined) return emulation(question);
  return decide((await findKnown(accel, question)) ?? (await probeAndKeep(accel, question)), question);
}

/**
 * The same with a guest that is asked now, whatever is known: what was true then may be no more. What it says is what
 * builds believe from now on.
 */
export async function chooseAccelAnew(question: RunningQuestion): Promise<AccelDecision> {
  const accel = accelToTry(question);
  if (accel === undefined) return emulation(question);
  return decide((await findObstacle(accel, question)) ?? (await probeAndKeep(accel, question)), question);
}

/** `tcg (KVM is there, but its guest did not answer …)`, and how to ask again where the answer is not of now. */
export function describeDecision({ accel, reason, fromCache }: AccelDecision): string {
  const again = fromCache && accel === 'tcg' ? '; found earlier, `kvmimg doctor` tries again' : '';
  return `${accel} (${reason}${again})`;
}

/**
 * The decision as far as it is known without a guest; undefined when only a guest can tell. Writes nothing and starts no
 * machine, for `kvmimg plan`.
 *
 * @throws KvmimgError `accel-unusable` when the accelerator that was asked for cannot work.
 */
export async function findCachedAccel(question: AccelQuestion): Promise<AccelDecision | undefined> {
  const accel = accelToTry(question);
  if (accel === undefined) return emulation(question);
  const known = await findKnown(accel, question);
  return known && decide(known, question);
}

function accelToTry({ choice, host = thisHost }: AccelQuestion): HardwareAccel | undefined {
  if (choice === 'kvm' || choice === 'hvf') return choice;
  if (choice === 'tcg') return undefined;
  if (host.platform === 'linux') return 'kvm';
  return host.platform === 'darwin' ? 'hvf' : undefined;
}

async function findObstacle(
  accel: HardwareAccel,
  { arch, host = thisHost }: AccelQuestion,
): Promise<Finding | undefined> {
  const obstacle = await findAccelObstacle(accel, arch, host);
  return obstacle && { accel, result: obstacle, fromCache: false };
}

async function findKnown(accel: HardwareAccel, question: AccelQuestion): Promise<Finding | undefined> {
  const obstacle = await findObstacle(accel, question);
  if (obstacle) return obstacle;
  const { binary, cacheDir, choice, host = thisHost } = question;
  const key = await readProbeKey({ accel, binary, host });
  const result = key === undefined ? undefined : await readCachedProbe(cacheDir, key);
  const believed = result?.works || choice === 'auto';
  return result && believed ? { accel, result, fromCache: true } : undefined;
}

async function probeAndKeep(
  accel: HardwareAccel,
  { arch, binary, cacheDir, host = thisHost, signal }: RunningQuestion,
): Promise<Finding> {
  const result = await probeAccel({ accel, arch, binary, signal });
  const key = await readProbeKey({ accel, binary, host });
  if (key !== undefined) await writeCachedProbe(cacheDir, key, result);
  return { accel, result, fromCache: false };
}

function decide({ accel, result, fromCache }: Finding, { choice, arch }: AccelQuestion): AccelDecision {
  if (result.works) return { accel, cpuModel: result.cpuModel, reason: result.reason, fromCache };
  if (choice === 'auto') return { accel: 'tcg', cpuModel: cpuModelOf('tcg', arch), reason: result.reason, fromCache };
  throw new KvmimgError({
    code: 'accel-unusable',
    message: `The accelerator ${accel} cannot be used: ${result.reason}.`,
    hint: result.hint,
  });
}

function emulation({ choice, arch }: AccelQuestion): AccelDecision {
  const reason = choice === 'tcg' ? 'it was asked for' : 'kvmimg knows no accelerator for this operating system';
  return { accel: 'tcg', cpuModel: cpuModelOf('tcg', arch), reason, fromCache: false };
}
