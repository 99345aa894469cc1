import type { MachinePaths } from './machine-paths.ts';
import type { MachineDisk, MachineFirmware, MachineNetwork, MachineSpec } from './machine-spec.ts';
import { qemuOption } from './qemu-option.ts';

const bytesPerMebibyte = 1024 * 1024;

/** What this build of QEMU can do. */
export interface QemuAbilities {
  /** It can be confined by seccomp. */
  readonly sandbox: boolean;
}

/**
 * The arguments of QEMU. Pure. No secret is among them: kernel arguments and the SMBIOS serial number go by files.
 * The machine starts paused, so that no event is missed before the QMP connection is up.
 */
export function qemuArgs(spec: MachineSpec, paths: MachinePaths, abilities: QemuAbilities): string[] {
  return [
    ...['-name', 'kvmimg'],
    '-nodefaults',
    '-no-user-config',
    ...machineArgs(spec),
    ...(abilities.sandbox ? ['-sandbox', sandbox] : []),
    ...(spec.directBoot ? ['-readconfig', paths.config] : []),
    ...firmwareArgs(spec.firmware, paths),
    ...(spec.smbiosSystemSerial === undefined ? [] : ['-smbios', qemuOption(undefined, { file: paths.smbios })]),
    ...['-rtc', 'base=utc'],
    ...spec.disks.flatMap((disk, index) => diskArgs(disk, index, spec.directBoot === undefined)),
    ...cdromArgs(spec),
    ...(spec.network ? networkArgs(spec.network) : []),
    ...deviceArgs(spec),
    ...['-chardev', qemuOption('file', { id: 'serial0', path: paths.serialLog })],
    ...['-serial', 'chardev:serial0'],
    ...['-chardev', qemuOption('socket', { id: 'qmp0', path: paths.qmpSocket, server: true, wait: false })],
    ...['-mon', 'chardev=qmp0,mode=control'],
    ...['-display', 'none'],
    ...['-action', 'panic=pause'],
    ...(spec.noReboot ? ['-no-reboot'] : []),
    '-S',
  ];
}

const sandbox = 'on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny';

function machineArgs(spec: MachineSpec): string[] {
  const smm = spec.firmware.kind === 'uefi' && spec.firmware.needsSmm;
  // The newest interrupt controller that there is: by default `virt` has one for at most eight processors.
  const machine =
    spec.arch === 'amd64'
      ? qemuOption('q35', { smm: smm ? true : undefined })
      : qemuOption('virt', { 'gic-version': 'max' });
  return [
    ...['-machine', machine],
    // QEMU itself knows whether this pair of architectures may use one thread per virtual CPU.
    ...['-accel', spec.accel],
    ...['-cpu', spec.cpuModel],
    ...['-smp', String(spec.cpus)],
    ...['-m', `${Math.floor(spec.memoryBytes / bytesPerMebibyte)}M`],
  ];
}

function firmwareArgs(firmware: MachineFirmware, paths: MachinePaths): string[] {
  if (firmware.kind === 'bios') return [];
  const { codePath, codeFormat, varsFormat, needsSmm } = firmware;
  return [
    ...(needsSmm ? ['-global', 'driver=cfi.pflash01,property=secure,value=on'] : []),
    ...['-drive', qemuOption(undefined, { if: 'pflash', unit: 0, format: codeFormat, readonly: true, file: codePath })],
    ...['-drive', qemuOption(undefined, { if: 'pflash', unit: 1, format: varsFormat, file: paths.vars })],
  ];
}

/** @param bootable false where a kernel is booted directly, for which QEMU takes the first place itself. */
function diskArgs(disk: MachineDisk, index: number, bootable: boolean): string[] {
  const id = `disk${index}`;
  const drive = {
    file: disk.path,
    if: 'none',
    id,
    format: disk.format,
    cache: disk.cache,
    discard: 'unmap',
    'detect-zeroes': 'unmap',
  };
  const device = { drive: id, serial: disk.serial, bootindex: bootable ? index : undefined };
  return ['-drive', qemuOption(undefined, drive), ...diskDeviceArgs(disk, index, device)];
}

function diskDeviceArgs(
  disk: MachineDisk,
  index: number,
  device: { readonly drive: string; readonly serial: string | undefined; readonly bootindex: number | undefined },
): string[] {
  switch (disk.bus) {
    case 'virtio':
      return ['-device', qemuOption('virtio-blk-pci', device)];
    case 'pvscsi':
      return [
        ...['-device', qemuOption('pvscsi', { id: `scsi${index}` })],
        ...['-device', qemuOption('scsi-hd', { bus: `scsi${index}.0`, ...device })],
      ];
    case 'sata':
      // A controller of its own: not every machine type has one.
      return [
        ...['-device', qemuOption('ahci', { id: `sata${index}` })],
        ...['-device', qemuOption('ide-hd', { bus: `sata${index}.0`, ...device })],
      ];
    case 'nvme':
      return ['-device', qemuOption('nvme', { ...device, serial: disk.serial ?? device.drive })];
  }
}

/** CD-ROM drives on the bus on which installers expect them: SATA in a PC, SCSI in an arm64 machine, which has no SATA. */
function cdromArgs({ arch, cdroms = [] }: MachineSpec): string[] {
  if (cdroms.length === 0) return [];
  const controller = arch === 'amd64' ? 'ahci' : 'virtio-scsi-pci';
  const drives = cdroms.flatMap((file, index) => {
    const id = `cdrom${index}`;
    const device =
      arch === 'amd64'
        ? qemuOption('ide-cd', { bus: `cdroms.${index}`, drive: id })
        : qemuOption('scsi-cd', { bus: 'cdroms.0', drive: id });
    return [
      ...['-drive', qemuOption(undefined, { file, if: 'none', id, format: 'raw', readonly: true })],
      ...['-device', device],
    ];
  });
  return ['-device', qemuOption(controller, { id: 'cdroms' }), ...drives];
}

function networkArgs(network: MachineNetwork): string[] {
  const { sshForward, guestNetwork } = network;
  const hostfwd = sshForward ? `tcp:127.0.0.1:0-${guestNetwork?.guestAddress ?? ''}:22` : undefined;
  const addresses = guestNetwork && {
    net: guestNetwork.subnet,
    host: guestNetwork.hostAddress,
    dns: guestNetwork.dnsAddress,
    dhcpstart: guestNetwork.guestAddress,
  };
  return [
    ...['-netdev', qemuOption('user', { id: 'net0', ipv6: false, ...addresses, hostfwd })],
    // No option ROM: nothing boots from the network, and the ROMs are a package of their own.
    ...['-device', qemuOption(network.nic, { netdev: 'net0', romfile: '' })],
  ];
}

/** A display, so that screenshots show the text console; randomness; and a way to tell of a kernel panic. */
function deviceArgs(spec: MachineSpec): string[] {
  const x86 = spec.arch === 'amd64';
  return [
    ...['-device', x86 ? 'VGA' : 'virtio-gpu-pci'],
    ...['-device', 'virtio-rng-pci'],
    ...['-device', x86 ? 'pvpanic' : 'pvpanic-pci'],
  ];
}
