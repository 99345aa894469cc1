import { KvmimgError } from '../errors.ts';
import { thisHost } from '../host/facts.ts';
import { checkPrograms, findQemuSystem, qemuArches } from '../host/programs.ts';
import { makeWorkDir } from '../host/work-dirs.ts';
import type { LayerStore } from '../layer/store.ts';
import type { Scope } from '../lifecycle/scope.ts';
import { type AccelDecision, chooseAccel, describeDecision } from '../machine/accel/choose-accel.ts';
import { findFirmware } from '../machine/firmware.ts';
import { readQemuFacts } from '../machine/qemu-facts.ts';
import { readPackageVersion } from '../package-root.ts';
import { guestNetworkOf } from '../plan/guest-network.ts';
import type { Plan } from '../plan/plan.ts';
import { makeReuseRule } from '../plan/reuse.ts';
import type { Progress } from '../progress/events.ts';
import { checkCpuLevel } from './cpu-level.ts';
import { type GuestServices, startGuestServices } from './guest-services.ts';
import type { HostPool } from './host-pool.ts';
import { type BuildHardware, cpusFor } from './machine-specs.ts';
import { type MediaAccess, openMediaAccess } from './media-access.ts';
import type { Tell } from './phase-clock.ts';

/** What every phase of one running build is given. What phases produce travels as results, not here. */
export interface BuildRun {
  readonly plan: Plan;
  readonly decision: AccelDecision;
  /** Path of QEMU for the image's architecture. */
  readonly qemuBinary: string;
  readonly qemuVersion: string;
  readonly kvmimgVersion: string;
  /** The machine that builds, without its disk, network and boot. */
  readonly hardware: BuildHardware;
  /** This build's own folder in the cache, removed at its end. */
  readonly workDir: string;
  /** Where the logs and the screenshot of a failure are kept. */
  readonly reportDir: string;
  readonly access: MediaAccess;
  readonly services: GuestServices;
  readonly signal: AbortSignal;
  readonly warn: (message: string) => void;
  readonly tellInfo: (message: string) => void;
  readonly store: LayerStore;
  /** Which layers of earlier builds may be used. */
  readonly freshnessOf: ReturnType<typeof makeReuseRule>;
  /** Waits until the host has room for a machine of this build; the room is given back with the scope. */
  readonly takeRoom: (scope: Scope, tell: Tell) => Promise<void>;
  /** A name for something in the work folder: `layer-1`, `layer-2`. */
  readonly nextName: (kind: string) => string;
  readonly countBoot: () => void;
  /** Guests that this build has started. */
  readonly bootCount: () => number;
}

/** Finds out how this host runs machines, and makes the build's work folder. */
export async function startBuildRun(
  plan: Plan,
  options: {
    readonly scope: Scope;
    readonly signal: AbortSignal;
    readonly progress: Progress;
    readonly warn: (message: string) => void;
    readonly store: LayerStore;
    readonly startedAt: Date;
    readonly pool?: HostPool;
  },
): Promise<BuildRun> {
  const { scope, signal, progress, warn, store, pool } = options;
  let bootCount = 0;
  let names = 0;
  const tellInfo = (message: string): void => progress({ type: 'log', level: 'info', message });
  const { arch, cpus, memory: memoryBytes, firmware } = plan.recipe;
  const qemuBinary = await findQemu(plan);
  // Some are first called after the install, which would have been in vain.
  await checkPrograms(['qemu-img', 'ssh', 'ssh-keygen'], thisHost.env);
  const [qemu, decision] = await Promise.all([
    readQemuFacts(qemuBinary, signal),
    chooseAccel({ choice: plan.accel, arch, binary: qemuBinary, cacheDir: plan.cacheDir, signal }),
  ]);
  await checkCpuLevel(plan, decision, qemu.version);
  tellInfo(`accelerator: ${describeDecision(decision)}`);
  const workDir = await makeWorkDir({ root: plan.cacheDir, scope });
  const access = openMediaAccess(plan, scope);
  return {
    ...{ plan, decision, qemuBinary, access, signal, warn, tellInfo, store },
    freshnessOf: makeReuseRule(plan, options.startedAt),
    takeRoom: async (machineScope, tell) => {
      if (pool === undefined) return;
      tell('waiting for cores and memory');
      const giveBack = await pool.take({ cpus: cpusFor(decision.accel, cpus), memoryBytes }, signal);
      machineScope.defer('cores and memory of the host', giveBack);
    },
    nextName: (kind) => `${kind}-${++names}`,
    countBoot: () => {
      bootCount += 1;
    },
    bootCount: () => bootCount,
    services: await startGuestServices(plan, access, { scope, signal, warn }),
    qemuVersion: qemu.version,
    kvmimgVersion: readPackageVersion(),
    hardware: {
      ...{ arch, memoryBytes },
      ...guestNetworkOf(plan.recipe),
      cpus: cpusFor(decision.accel, cpus),
      accel: decision.accel,
      cpuModel: decision.cpuModel,
      firmware: firmware === 'uefi' ? await findFirmware(arch) : { kind: 'bios' },
    },
    workDir: workDir.path,
    reportDir: `${plan.cacheDir}/reports/${new Date().toISOString().replaceAll(/[:.]/g, '-')}-${plan.name}`,
  };
}

async function findQemu(plan: Plan): Promise<string> {
  const { arch } = plan.recipe;
  const path = await findQemuSystem(arch, thisHost);
  if (path !== undefined) return path;
  throw new KvmimgError({
    code: 'program-missing',
    message: `qemu-system-${qemuArches[arch]} is not installed, or not on the PATH.`,
    hint: `Run \`kvmimg doctor --fix --arch ${arch}\` to install what is missing.`,
  });
}

/** The recipe's time limits; their defaults go by accelerator, for an emulated guest is about ten times slower. */
export function limitsOf(run: BuildRun): {
  readonly silenceMs: number;
  readonly sshMs: number;
  readonly powerOffMs: number;
} {
  const slow = run.decision.accel === 'tcg';
  const { ssh, silence, powerOff } = run.plan.recipe.limits;
  return {
    silenceMs: silence ?? (slow ? 600_000 : 180_000),
    sshMs: ssh ?? (slow ? 600_000 : 180_000),
    powerOffMs: powerOff ?? (slow ? 300_000 : 120_000),
  };
}
