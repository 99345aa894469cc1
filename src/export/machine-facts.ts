import { type ScsiController, scsiControllers } from '../recipe/ovf-settings.ts';
import type { OvfDescription } from './ovf-reader.ts';

/** Controllers as an OVF descriptor calls them (`rasd:ResourceSubType`). */
export const controllerTypes: Readonly<Record<ScsiController, string>> = {
  pvscsi: 'VirtualSCSI',
  lsilogic: 'lsilogic',
};

/** What an OVF descriptor says about the machine and the product; the disk's own facts are read from the VMDK. */
export interface MachineFacts {
  /** CIM operating system id (`ovf:id`). */
  readonly osId: number;
  /** VMware guest id (`vmw:osType`). */
  readonly osType: string;
  /** 15 for `vmx-15`. */
  readonly hardwareVersion: number;
  readonly controller: ScsiController;
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
  controller: 'pvscsi',
  cpus: 2,
  memoryBytes: 2 * 2 ** 30,
  firmware: 'bios',
  secureBoot: false,
  title: 'Linux',
  productVersion: '0',
  properties: {},
  diskEnableUuid: true,
};

/** What is known of a machine; undefined is not known, too. */
export type KnownFacts = { readonly [Name in keyof MachineFacts]?: MachineFacts[Name] | undefined };

/** Fills in what is not known; of two that know a thing the later one has it. */
export function makeMachineFacts(...known: readonly KnownFacts[]): MachineFacts {
  const entries = known.flatMap((facts) => Object.entries(facts)).filter(([, value]) => value !== undefined);
  return { ...defaults, ...Object.fromEntries(entries) };
}

/** The facts of an OVA, to make another one of it. */
export function machineFactsOfOva(ovf: OvfDescription): KnownFacts {
  const hardwareVersion = /^vmx-(\d+)$/.exec(ovf.hardwareVersion ?? '')?.[1];
  return {
    osId: ovf.osId,
    osType: ovf.osType,
    hardwareVersion: hardwareVersion === undefined ? undefined : Number(hardwareVersion),
    controller: findController(ovf.controllers),
    cpus: ovf.cpus,
    memoryBytes: ovf.memoryBytes,
    title: ovf.title,
    productVersion: ovf.productVersion,
    firmware: ovf.firmware === 'efi' ? 'efi' : 'bios',
    secureBoot: ovf.secureBoot,
    properties: ovf.properties,
    diskEnableUuid: ovf.extraConfig['disk.EnableUUID'] === 'TRUE',
  };
}

/** That of the first disk; undefined where kvmimg writes no such one. Other writers spell it in other cases. */
function findController([first]: readonly string[]): ScsiController | undefined {
  return scsiControllers.find((name) => controllerTypes[name].toLowerCase() === first?.toLowerCase());
}
