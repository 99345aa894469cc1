import { Builder } from 'xml2js';
import { controllerTypes, type MachineFacts } from './machine-facts.ts';

/** The disk that a descriptor is about. */
export interface OvfDisk {
  readonly fileName: string;
  /** Exact size of the VMDK file. */
  readonly fileSizeBytes: number;
  /** Size of the virtual disk, as the VMDK's header has it: a wrong one fails the import at its end. */
  readonly capacityBytes: number;
  /** Bytes of the virtual disk that are stored. */
  readonly populatedBytes: number;
}

const namespaces = {
  xmlns: 'http://schemas.dmtf.org/ovf/envelope/1',
  'xmlns:ovf': 'http://schemas.dmtf.org/ovf/envelope/1',
  'xmlns:rasd': 'http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData',
  'xmlns:vssd': 'http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_VirtualSystemSettingData',
  'xmlns:vmw': 'http://www.vmware.com/schema/ovf',
};
const streamOptimized = 'http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized';
const network = 'nic0';
const memoryStepBytes = 4 * 2 ** 20;

/** The OVF descriptor of a machine with one disk. DSP0243 1.1, which every VMware product reads. */
export function makeOvf(name: string, facts: MachineFacts, disk: OvfDisk): string {
  const envelope = {
    Envelope: {
      $: namespaces,
      References: { File: { $: { 'ovf:id': 'file1', 'ovf:href': disk.fileName, 'ovf:size': disk.fileSizeBytes } } },
      DiskSection: diskSection(disk),
      NetworkSection: {
        Info: 'The networks of the machine',
        Network: { $: { 'ovf:name': network }, Description: 'The first network' },
      },
      VirtualSystem: virtualSystem(name, facts),
    },
  };
  const builder = new Builder({
    xmldec: { version: '1.0', encoding: 'UTF-8' },
    renderOpts: { pretty: true, indent: '  ' },
  });
  return `${builder.buildObject(printable(envelope))}\n`;
}

function diskSection(disk: OvfDisk) {
  return {
    Info: 'The disks of the machine',
    Disk: {
      $: {
        'ovf:capacity': disk.capacityBytes,
        'ovf:capacityAllocationUnits': 'byte',
        'ovf:diskId': 'vmdisk1',
        'ovf:fileRef': 'file1',
        'ovf:format': streamOptimized,
        'ovf:populatedSize': disk.populatedBytes,
      },
    },
  };
}

function virtualSystem(name: string, facts: MachineFacts) {
  return {
    $: { 'ovf:id': name },
    Info: 'A virtual machine',
    Name: name,
    OperatingSystemSection: {
      $: { 'ovf:id': facts.osId, 'vmw:osType': facts.osType },
      Info: 'The guest operating system',
      Description: facts.title,
    },
    VirtualHardwareSection: virtualHardware(name, facts),
    ProductSection: productSection(facts),
  };
}

// No BootOrderSection: with one, an EFI machine comes out of the import as BIOS (kubernetes-sigs/image-builder#619).
function virtualHardware(name: string, facts: MachineFacts) {
  const config = (key: string, value: string) => ({
    $: { 'ovf:required': 'false', 'vmw:key': key, 'vmw:value': value },
  });
  const secureBoot = config('bootOptions.efiSecureBootEnabled', String(facts.secureBoot));
  return {
    $: { 'ovf:transport': 'com.vmware.guestInfo' },
    Info: 'Virtual hardware',
    System: {
      'vssd:ElementName': 'Virtual Hardware Family',
      'vssd:InstanceID': 0,
      'vssd:VirtualSystemIdentifier': name,
      'vssd:VirtualSystemType': `vmx-${facts.hardwareVersion}`,
    },
    Item: hardwareItems(facts),
    'vmw:Config': [config('firmware', facts.firmware), ...(facts.firmware === 'efi' ? [secureBoot] : [])],
    ...(facts.diskEnableUuid ? { 'vmw:ExtraConfig': config('disk.EnableUUID', 'TRUE') } : {}),
  };
}

/** CIM resources. The elements of an item come in alphabetical order, as their schema demands. */
function hardwareItems(facts: MachineFacts) {
  const memoryMiB = (Math.ceil(facts.memoryBytes / memoryStepBytes) * memoryStepBytes) / 2 ** 20;
  return [
    item({
      AllocationUnits: 'hertz * 10^6',
      Description: 'Number of virtual CPUs',
      ElementName: `${facts.cpus} virtual CPU(s)`,
      InstanceID: 1,
      ResourceType: 3,
      VirtualQuantity: facts.cpus,
    }),
    item({
      AllocationUnits: 'byte * 2^20',
      Description: 'Memory',
      ElementName: `${memoryMiB} MB of memory`,
      InstanceID: 2,
      ResourceType: 4,
      VirtualQuantity: memoryMiB,
    }),
    item({
      Address: 0,
      Description: 'SCSI controller',
      ElementName: 'SCSI controller 0',
      InstanceID: 3,
      ResourceSubType: controllerTypes[facts.controller],
      ResourceType: 6,
    }),
    item({
      AddressOnParent: 0,
      ElementName: 'Hard disk 1',
      HostResource: 'ovf:/disk/vmdisk1',
      InstanceID: 4,
      Parent: 3,
      ResourceType: 17,
    }),
    item({
      AddressOnParent: 7,
      AutomaticAllocation: true,
      Connection: network,
      Description: `VmxNet3 network adapter on ${network}`,
      ElementName: 'Network adapter 1',
      InstanceID: 5,
      ResourceSubType: 'VmxNet3',
      ResourceType: 10,
    }),
  ];
}

function item(elements: Readonly<Record<string, string | number | boolean>>) {
  return Object.fromEntries(Object.entries(elements).map(([element, value]) => [`rasd:${element}`, value]));
}

function productSection(facts: MachineFacts) {
  const properties = Object.entries(facts.properties).map(([key, value]) => ({
    // OVF 1.1, section 9.5.1: a key has neither period nor colon.
    $: {
      'ovf:key': key.replaceAll(/[.:\s]/g, '_'),
      'ovf:type': 'string',
      'ovf:userConfigurable': false,
      'ovf:value': value,
    },
  }));
  return {
    Info: 'What the machine runs',
    Product: facts.title,
    Version: facts.productVersion,
    ...(properties.length > 0 ? { Property: properties } : {}),
  };
}

type XmlValue = string | number | boolean | { readonly [name: string]: XmlValue } | readonly XmlValue[];

/** XML 1.0 has no way to write most control characters: they become spaces. The builder escapes everything else. */
function printable(value: XmlValue): XmlValue {
  if (typeof value === 'string')
    return Buffer.from(value)
      .toString()
      .replaceAll(/[\p{Cc}\uFFFE\uFFFF]/gu, ' ');
  if (typeof value !== 'object') return String(value);
  if (Array.isArray(value)) return value.map(printable);
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, printable(inner)]));
}
