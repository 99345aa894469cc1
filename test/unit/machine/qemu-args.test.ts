import { describe, expect, it } from 'vitest';
import { makeMachinePaths } from '../../../src/machine/machine-paths.ts';
import { cpuModelOf, type MachineDisk, type MachineSpec } from '../../../src/machine/machine-spec.ts';
import { qemuArgs } from '../../../src/machine/qemu-args.ts';

const paths = makeMachinePaths('/w');

const disk: MachineDisk = {
  path: '/w/disk.qcow2',
  format: 'qcow2',
  bus: 'virtio',
  cache: 'unsafe',
  serial: 'kvmimg-root',
};

const spec: MachineSpec = {
  arch: 'amd64',
  accel: 'tcg',
  cpuModel: 'max',
  cpus: 2,
  memoryBytes: 2 * 1024 ** 3,
  firmware: { kind: 'bios' },
  disks: [disk],
  network: { nic: 'virtio-net-pci', sshForward: true },
  noReboot: true,
};

const uefi = {
  kind: 'uefi',
  codePath: '/f/code.fd',
  codeFormat: 'raw',
  varsTemplatePath: '/f/vars.fd',
  varsFormat: 'raw',
  needsSmm: false,
} as const;

const directBoot = { kernelPath: '/k', initrdPath: '/i', kernelArguments: ['url=http://10.0.2.2/token'] };

const drive = 'if=none,id=disk0,format=qcow2,cache=unsafe,discard=unmap,detect-zeroes=unmap';

interface Case {
  readonly title: string;
  readonly changes?: Partial<MachineSpec>;
  readonly sandbox?: boolean;
  /** Arguments that follow each other. */
  readonly has?: readonly (readonly string[])[];
  /** Texts that no argument holds. */
  readonly hasNot?: readonly string[];
}

const cases: readonly Case[] = [
  {
    title: 'nothing is there that was not asked for, and no configuration of the user or the host is read',
    has: [['-nodefaults', '-no-user-config']],
  },
  { title: 'the machine is a PC with PCI Express', has: [['-machine', 'q35', '-accel', 'tcg', '-cpu', 'max']] },
  { title: 'processors and memory, in mebibytes', has: [['-smp', '2', '-m', '2048M']] },
  {
    title: 'KVM gets the processor that was proven, options and all',
    changes: { accel: 'kvm', cpuModel: 'host,-arch-capabilities' },
    has: [['-accel', 'kvm', '-cpu', 'host,-arch-capabilities']],
  },
  {
    title: 'QEMU is confined where it can be',
    sandbox: true,
    has: [['-sandbox', 'on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny']],
  },
  { title: 'a QEMU without seccomp would refuse to start', sandbox: false, hasNot: ['-sandbox'] },
  {
    title: 'the disk is found by its serial number, and gives back what the guest trims',
    has: [
      ['-drive', `file=/w/disk.qcow2,${drive}`],
      ['-device', 'virtio-blk-pci,drive=disk0,serial=kvmimg-root,bootindex=0'],
    ],
  },
  {
    title: 'a comma in a path is doubled, or QEMU takes the rest for an option',
    changes: { disks: [{ ...disk, path: '/w, x/d,readonly=on.qcow2' }] },
    has: [['-drive', `file=/w,, x/d,,readonly=on.qcow2,${drive}`]],
  },
  {
    title: 'VMware machines have a paravirtual SCSI controller',
    changes: { disks: [{ ...disk, bus: 'pvscsi' }] },
    has: [['-device', 'pvscsi,id=scsi0', '-device', 'scsi-hd,bus=scsi0.0,drive=disk0,serial=kvmimg-root,bootindex=0']],
  },
  {
    title: 'a SATA disk gets a controller of its own, which not every machine type has',
    changes: { disks: [{ ...disk, bus: 'sata' }] },
    has: [['-device', 'ahci,id=sata0', '-device', 'ide-hd,bus=sata0.0,drive=disk0,serial=kvmimg-root,bootindex=0']],
  },
  {
    title: 'an NVMe disk must have a serial number',
    changes: { disks: [{ path: '/w/d', format: 'raw', bus: 'nvme', cache: 'writeback' }] },
    has: [['-device', 'nvme,drive=disk0,serial=disk0,bootindex=0']],
  },
  {
    title: 'a second disk has its own name and place in the boot order',
    changes: { disks: [disk, { ...disk, path: '/w/2' }] },
    has: [['-device', 'virtio-blk-pci,drive=disk1,serial=kvmimg-root,bootindex=1']],
  },
  {
    title: 'with a kernel booted directly QEMU itself holds the first place in the boot order',
    changes: { directBoot },
    has: [['-device', 'virtio-blk-pci,drive=disk0,serial=kvmimg-root']],
    hasNot: ['bootindex'],
  },
  {
    title: 'kernel arguments go by a file, for they may hold a secret',
    changes: { directBoot },
    has: [['-readconfig', '/w/machine.cfg']],
    hasNot: ['token', '-append', '-kernel'],
  },
  {
    title: 'an SMBIOS serial number goes by a file, for it may hold a secret',
    changes: { smbiosSystemSerial: 'ds=nocloud;s=http://10.0.2.2/token' },
    has: [['-smbios', 'file=/w/smbios.bin']],
    hasNot: ['token'],
  },
  {
    title: 'the network needs no right and no bridge; the way in is on loopback, at a port that the system chooses',
    has: [
      ['-netdev', 'user,id=net0,ipv6=off,hostfwd=tcp:127.0.0.1:0-:22'],
      ['-device', 'virtio-net-pci,netdev=net0,romfile='],
    ],
  },
  {
    title: 'without a forward nothing listens',
    changes: { network: { nic: 'e1000e', sshForward: false } },
    has: [['-netdev', 'user,id=net0,ipv6=off', '-device', 'e1000e,netdev=net0,romfile=']],
    hasNot: ['hostfwd'],
  },
  {
    title: 'UEFI: the code is shared and read-only, the variables are the machine’s own',
    changes: { firmware: uefi },
    has: [
      ['-drive', 'if=pflash,unit=0,format=raw,readonly=on,file=/f/code.fd'],
      ['-drive', 'if=pflash,unit=1,format=raw,file=/w/vars.fd'],
    ],
  },
  {
    title: 'Secure Boot firmware guards its variables by system management mode',
    changes: { firmware: { ...uefi, needsSmm: true } },
    has: [
      ['-machine', 'q35,smm=on'],
      ['-global', 'driver=cfi.pflash01,property=secure,value=on'],
    ],
  },
  {
    title: 'screenshots need a display device, kernel panics a way out',
    has: [['-device', 'VGA', '-device', 'virtio-rng-pci', '-device', 'pvpanic']],
  },
  {
    title: 'an ISO is read-only and never booted from',
    changes: { cdroms: ['/m/a, b.iso', '/m/2.iso'] },
    has: [
      ['-device', 'ahci,id=cdroms', '-drive', 'file=/m/a,, b.iso,if=none,id=cdrom0,format=raw,readonly=on'],
      ['-device', 'ide-cd,bus=cdroms.0,drive=cdrom0'],
      ['-device', 'ide-cd,bus=cdroms.1,drive=cdrom1'],
    ],
    hasNot: ['drive=cdrom0,bootindex'],
  },
  {
    title: 'an arm64 machine has no SATA of its own, so its CD-ROM is on SCSI',
    changes: { arch: 'arm64', firmware: uefi, cdroms: ['/m/1.iso'] },
    has: [
      ['-device', 'virtio-scsi-pci,id=cdroms'],
      ['-device', 'scsi-cd,bus=cdroms.0,drive=cdrom0'],
    ],
  },
  {
    title: 'arm64 has neither a PC nor a PC’s devices, and an interrupt controller for more than eight processors',
    changes: { arch: 'arm64', firmware: uefi },
    has: [
      ['-machine', 'virt,gic-version=max'],
      ['-device', 'virtio-gpu-pci', '-device', 'virtio-rng-pci', '-device', 'pvpanic-pci'],
    ],
    hasNot: ['q35', 'VGA'],
  },
  {
    title: 'a panicked guest is held, so that its screen can be saved',
    has: [['-action', 'panic=pause']],
  },
  {
    title: 'it starts paused and is controlled by a socket, so that no event is missed',
    has: [['-chardev', 'socket,id=qmp0,path=/w/qmp,server=on,wait=off', '-mon', 'chardev=qmp0,mode=control'], ['-S']],
  },
  { title: 'a reset ends the machine', has: [['-no-reboot']] },
  { title: 'a first boot may reboot', changes: { noReboot: false }, hasNot: ['-no-reboot'] },
];

describe('qemuArgs', () => {
  it.each(cases)('$title', ({ changes, sandbox = true, has = [], hasNot = [] }) => {
    const args = qemuArgs({ ...spec, ...changes }, paths, { sandbox });
    for (const sequence of has) expect(joined(args)).toContain(joined(sequence));
    for (const text of hasNot) expect(joined(args)).not.toContain(text);
  });

  it('is the same every time', () => {
    expect(qemuArgs(spec, paths, { sandbox: true })).toEqual(qemuArgs(spec, paths, { sandbox: true }));
  });
});

describe('cpuModelOf', () => {
  it.each([
    ['kvm', 'amd64', 'host'],
    ['hvf', 'arm64', 'host'],
    ['tcg', 'amd64', 'max'],
    // The architecture's own algorithm of pointer authentication takes most of an emulated kernel's time.
    ['tcg', 'arm64', 'max,pauth-impdef=on'],
  ] as const)('is the host’s own processor, or all that QEMU can emulate: %s, %s', (accel, arch, model) => {
    expect(cpuModelOf(accel, arch)).toBe(model);
  });
});

function joined(args: readonly string[]): string {
  return `\n${args.join('\n')}\n`;
}
