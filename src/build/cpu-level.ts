import { KvmimgError } from '../errors.ts';
import { findCpuLevel } from '../host/cpu-level.ts';
import type { AccelDecision } from '../machine/accel/choose-accel.ts';
import type { Plan } from '../plan/plan.ts';

/** QEMU emulates AVX2, which x86-64-v3 needs, since this version. */
const emulatesLevel3: readonly [number, number] = [7, 2];

/**
 * A distribution that is compiled for a newer processor panics in its first second ("CPU does not support x86-64-v2"), so
 * that is found out before.
 *
 * @throws KvmimgError `cpu-level`.
 */
export async function checkCpuLevel(plan: Plan, decision: AccelDecision, qemuVersion: string): Promise<void> {
  const { distro, recipe } = plan;
  if (recipe.arch !== 'amd64' || distro.cpuLevel === 1) return;
  const obstacle =
    decision.accel === 'tcg'
      ? findEmulationObstacle(distro.cpuLevel, qemuVersion)
      : findHostObstacle(distro.cpuLevel, await findCpuLevel());
  if (obstacle === undefined) return;
  throw new KvmimgError({
    code: 'cpu-level',
    message: `${distro.title} needs an x86-64-v${distro.cpuLevel} processor, and ${obstacle.reason}.`,
    hint: obstacle.hint,
  });
}

interface Obstacle {
  readonly reason: string;
  readonly hint: string;
}

/** @param qemuVersion such as `7.2.22` */
export function findEmulationObstacle(level: number, qemuVersion: string): Obstacle | undefined {
  const [major = 0, minor = 0] = qemuVersion.split('.').map(Number);
  const [leastMajor, leastMinor] = emulatesLevel3;
  if (level < 3 || major > leastMajor || (major === leastMajor && minor >= leastMinor)) return undefined;
  return {
    reason: `QEMU ${qemuVersion} emulates none`,
    hint: `Install QEMU ${emulatesLevel3.join('.')} or newer, or build where KVM works.`,
  };
}

/** @param hostLevel undefined where it is not known: then the guest will tell. */
export function findHostObstacle(level: number, hostLevel: number | undefined): Obstacle | undefined {
  if (hostLevel === undefined || hostLevel >= level) return undefined;
  return { reason: `this host's is x86-64-v${hostLevel}`, hint: 'Use --accel tcg, which emulates one.' };
}
