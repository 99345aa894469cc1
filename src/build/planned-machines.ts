import { thisHost } from '../host/facts.ts';
import { findQemuSystem, qemuArches } from '../host/programs.ts';
import { type AccelDecision, findCachedAccel } from '../machine/accel/choose-accel.ts';
import { findFirmware } from '../machine/firmware.ts';
import { makeMachinePaths } from '../machine/machine-paths.ts';
import { cpuModelOf } from '../machine/machine-spec.ts';
import { qemuArgs } from '../machine/qemu-args.ts';
import { guestNetworkOf } from '../plan/guest-network.ts';
import type { Plan } from '../plan/plan.ts';
import { cpusFor, makeInstallMachine, makeProvisionMachine } from './machine-specs.ts';

/** A machine that the build will start. `argv` names its files below `WORK`, the build's own folder. */
export interface PlannedMachine {
  readonly phase: 'install' | 'provision';
  readonly argv: readonly string[];
}

export interface PlannedMachines {
  /** Undefined as long as only a guest can tell: the build will ask one. */
  readonly accel: AccelDecision | undefined;
  readonly machines: readonly PlannedMachine[];
}

const folder = 'WORK';

/**
 * The QEMU command lines of a build, as far as they are known before it; starts nothing and writes nothing. Where the
 * accelerator is not known yet they are those of an emulated machine.
 *
 * @throws KvmimgError `accel-unusable`, `firmware-missing`.
 */
export async function planMachines(plan: Plan): Promise<PlannedMachines> {
  const { arch, cpus, memory: memoryBytes, firmware } = plan.recipe;
  const program = `qemu-system-${qemuArches[arch]}`;
  const binary = (await findQemuSystem(arch, thisHost)) ?? program;
  const accel = await findCachedAccel({ choice: plan.accel, arch, binary, cacheDir: plan.cacheDir });
  const hardware = {
    ...{ arch, memoryBytes },
    ...guestNetworkOf(plan.recipe),
    cpus: cpusFor(accel?.accel ?? 'tcg', cpus),
    accel: accel?.accel ?? 'tcg',
    cpuModel: accel?.cpuModel ?? cpuModelOf('tcg', arch),
    firmware: firmware === 'uefi' ? await findFirmware(arch) : ({ kind: 'bios' } as const),
  };
  const directBoot = { kernelPath: `${folder}/linux`, initrdPath: `${folder}/initrd`, kernelArguments: [] };
  const specs = {
    install: makeInstallMachine(hardware, `${folder}/install/disk.qcow2`, { ...directBoot, cdroms: cdromsOf(plan) }),
    provision: makeProvisionMachine(hardware, `${folder}/layer-1/disk.qcow2`),
  };
  const machines = (['install', 'provision'] as const).map((phase) => {
    const paths = makeMachinePaths(`${folder}/${phase}-machine`);
    return { phase, argv: [binary, ...qemuArgs(specs[phase], paths, { sandbox: true })] };
  });
  return { accel, machines };
}

function cdromsOf({ media }: Plan): readonly string[] {
  return media.kind === 'iso' ? [media.iso.path ?? media.iso.fileName] : [];
}
