import type { DirectBoot, MachineSpec } from '../machine/machine-spec.ts';
import { diskSerial } from '../plan/plan.ts';

/** A machine without its disk, network and boot. */
export type BuildHardware = Pick<MachineSpec, 'arch' | 'accel' | 'cpuModel' | 'cpus' | 'memoryBytes' | 'firmware'>;

/** The machine that runs the installer, on an empty disk. */
export function makeInstallMachine(hardware: BuildHardware, diskPath: string, directBoot: DirectBoot): MachineSpec {
  return {
    ...hardware,
    disks: [{ path: diskPath, format: 'qcow2', bus: 'virtio', cache: 'unsafe', serial: diskSerial }],
    network: { nic: 'virtio-net-pci', sshForward: false },
    directBoot,
    noReboot: true,
  };
}

/** The machine that boots the installed disk to be provisioned and sealed. */
export function makeSealMachine(hardware: BuildHardware, diskPath: string): MachineSpec {
  return {
    ...hardware,
    disks: [{ path: diskPath, format: 'qcow2', bus: 'virtio', cache: 'unsafe' }],
    network: { nic: 'virtio-net-pci', sshForward: true },
    noReboot: true,
  };
}
