import { qemuArches } from '../host/programs.ts';
import type { GuestNetwork } from '../plan/guest-network.ts';
import type { Arch } from '../recipe/schema.ts';

export type Accel = 'kvm' | 'hvf' | 'tcg';

/** UEFI firmware in two flash devices; each machine writes into its own copy of the variable store. */
export interface UefiFirmware {
  readonly kind: 'uefi';
  readonly codePath: string;
  readonly codeFormat: 'raw' | 'qcow2';
  readonly varsTemplatePath: string;
  readonly varsFormat: 'raw' | 'qcow2';
  /** Secure Boot builds keep their variables behind system management mode. */
  readonly needsSmm: boolean;
}

export type MachineFirmware = { readonly kind: 'bios' } | UefiFirmware;

export interface MachineDisk {
  readonly path: string;
  readonly format: 'qcow2' | 'raw';
  readonly bus: 'virtio' | 'pvscsi' | 'sata' | 'nvme';
  /** `unsafe` ignores flushes: for work that is done again after a crash. */
  readonly cache: 'unsafe' | 'writeback';
  /** At most 20 characters, what every bus can carry. */
  readonly serial?: string;
}

export interface MachineNetwork {
  readonly nic: 'virtio-net-pci' | 'vmxnet3' | 'e1000e';
  /** A port on 127.0.0.1, chosen by the system, that leads to the guest's port 22. */
  readonly sshForward: boolean;
  /** Default: QEMU's, 10.0.2.0/24 with this host at 10.0.2.2. */
  readonly guestNetwork?: GuestNetwork;
}

export interface DirectBoot {
  readonly kernelPath: string;
  readonly initrdPath: string;
  readonly kernelArguments: readonly string[];
}

/** What one machine is, as data. */
export interface MachineSpec {
  readonly arch: Arch;
  readonly accel: Accel;
  /** QEMU's name of it; `chooseAccel` gives the one that was proven, `cpuModelOf` the usual one. */
  readonly cpuModel: string;
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly firmware: MachineFirmware;
  /** In boot order. */
  readonly disks: readonly MachineDisk[];
  /** ISOs in CD-ROM drives, read-only. */
  readonly cdroms?: readonly string[];
  readonly network?: MachineNetwork;
  readonly directBoot?: DirectBoot;
  /** Serial number in the SMBIOS system table, such as `ds=nocloud;s=http://…`. May hold a secret. */
  readonly smbiosSystemSerial?: string;
  /** A reset by the guest ends the machine. */
  readonly noReboot: boolean;
}

/**
 * Everything that QEMU can emulate, which no distribution's baseline goes beyond. Pointer authentication by QEMU's own
 * algorithm in place of the architecture's: a Debian kernel is at its init after 5 s, not 15 s (QEMU 7.2).
 */
const emulatedCpus: Readonly<Record<Arch, string>> = { amd64: 'max', arm64: 'max,pauth-impdef=on' };

/** The processor that suits an accelerator: the host's own, or everything that QEMU can emulate. */
export function cpuModelOf(accel: Accel, arch: Arch): string {
  return accel === 'tcg' ? emulatedCpus[arch] : 'host';
}

/**
 * Kernel arguments that make an emulated build faster; only for the boots of the build, never in the image. Measured
 * with QEMU 7.2 TCG: with address-space randomisation each exec is translated anew; `norandmaps` brings fork+exec from
 * 32 ms to 7 ms, the other two about 12 % more. arm64 kernels know the same three, which bring the first
 * screen of Debian's installer from 21 s to 16 s.
 */
export const tcgKernelArguments = ['norandmaps', 'mitigations=off', 'init_on_alloc=0'] as const;

/** The name of the QEMU program that runs this architecture. */
export function qemuBinaryOf(arch: Arch): string {
  return `qemu-system-${qemuArches[arch]}`;
}
