import type { DirectBoot, MachineNetwork, MachineSpec } from '../machine/machine-spec.ts';
import type { GuestNetwork } from '../plan/guest-network.ts';
import { diskSerial } from '../plan/plan.ts';

/** A machine without its disk, network and boot. */
export type BuildHardware = Pick<MachineSpec, 'arch' | 'accel' | 'cpuModel' | 'cpus' | 'memoryBytes' | 'firmware'> & {
  readonly guestNetwork?: GuestNetwork;
};

/**
 * The processors of a machine of a build. An emulated one gets a single processor: with two, QEMU 7.2's TCG now and then
 * lets one run a breakpoint that the other is just patching out of the kernel (seen: "Oops: int3" at a static key, about
 * once in thirty boots).
 */
export function cpusFor(accel: MachineSpec['accel'], wanted: number): number {
  return accel === 'tcg' ? 1 : wanted;
}

function networkOf({ guestNetwork }: BuildHardware, sshForward: boolean): MachineNetwork {
  return { nic: 'virtio-net-pci', sshForward, ...(guestNetwork && { guestNetwork }) };
}

/** The machine that runs the installer, on an empty disk. */
export function makeInstallMachine(
  hardware: BuildHardware,
  diskPath: string,
  { kernelPath, initrdPath, kernelArguments, cdroms = [] }: DirectBoot & { readonly cdroms?: readonly string[] },
): MachineSpec {
  const { guestNetwork: _, ...machine } = hardware;
  return {
    ...machine,
    disks: [{ path: diskPath, format: 'qcow2', bus: 'virtio', cache: 'unsafe', serial: diskSerial }],
    network: networkOf(hardware, false),
    directBoot: { kernelPath, initrdPath, kernelArguments },
    cdroms,
    noReboot: true,
  };
}

/** The machine that boots the installed disk to be provisioned and sealed. */
export function makeProvisionMachine(hardware: BuildHardware, diskPath: string): MachineSpec {
  const { guestNetwork: _, ...machine } = hardware;
  return {
    ...machine,
    disks: [{ path: diskPath, format: 'qcow2', bus: 'virtio', cache: 'unsafe' }],
    network: networkOf(hardware, true),
    noReboot: true,
  };
}
