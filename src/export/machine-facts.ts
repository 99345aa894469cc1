import type { OvfDescription } from './ovf-reader.ts';

/** What an OVF descriptor says about the machine and the product; the disk's own facts are read from the VMDK. */
export interface MachineFacts {
  /** CIM operating system id (`ovf:id`). */
  readonly osId: number;
  /** VMware guest id (`vmw:osType`). */
  readonly osType: string;
  /** 15 for `vmx-15`. */
  readonly hardwareVersion: number;
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly firmware: 'bios' | 'efi';
  /** Told for efi only. */
  readonly secureBoot: boolean;
  readonly title: string;
  readonly productVersion: string;
  /** Properties of the ProductSection, such as versions from the bill of materials. */
  readonly properties: Readonly<Record<string, string>>;
  /** Shows the guest stable disk ids, which the vSphere CSI driver needs. */
  readonly diskEnableUuid: boolean;
}

/** Facts for an image of which only the disk is known: any 64-bit Linux, on what vSphere 6.7 and later run. */
const defaults: MachineFacts = {
  osId: 100,
  osType: 'other4xLinux64Guest',
  hardwareVersion: 15,
  cpus: 2,
  memoryBytes: 2 * 2 ** 30,
  firmware: 'bios',
  secureBoot: false,
  title: 'Linux',
  productVersion: '0',
  properties: {},
  diskEnableUuid: true,
};

/** Fills in what is not known. */
export function makeMachineFacts(known: Partial<MachineFacts> = {}): MachineFacts {
  return { ...defaults, ...known };
}

/** The facts of an OVA, to make another one of it. */
export function machineFactsOfOva(ovf: OvfDescription): Partial<MachineFacts> {
  const hardwareVersion = /^vmx-(\d+)$/.exec(ovf.hardwareVersion ?? '')?.[1];
  const known = {
    osId: ovf.osId,
    osType: ovf.osType,
    hardwareVersion: hardwareVersion === undefined ? undefined : Number(hardwareVersion),
    cpus: ovf.cpus,
    memoryBytes: ovf.memoryBytes,
    title: ovf.title,
    productVersion: ovf.productVersion,
  };
  return {
    ...Object.fromEntries(Object.entries(known).filter(([, value]) => value !== undefined)),
    firmware: ovf.firmware === 'efi' ? 'efi' : 'bios',
    secureBoot: ovf.secureBoot,
    properties: ovf.properties,
    diskEnableUuid: ovf.extraConfig['disk.EnableUUID'] === 'TRUE',
  };
}
