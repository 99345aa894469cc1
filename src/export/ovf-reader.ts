import { KvmimgError, messageOf } from '../errors.ts';
import { childrenOf, findNode, parseXml, type XmlNode } from './xml-node.ts';

export interface OvfFile {
  readonly id: string;
  readonly href: string;
  readonly sizeBytes: number | undefined;
}

export interface OvfDiskEntry {
  readonly diskId: string;
  /** Id of its file; undefined for an empty disk. */
  readonly fileRef: string | undefined;
  readonly capacityBytes: number;
}

/** What an OVF descriptor says, as far as it concerns a machine of one system. */
export interface OvfDescription {
  readonly name: string;
  readonly title: string | undefined;
  readonly productVersion: string | undefined;
  readonly osId: number | undefined;
  readonly osType: string | undefined;
  /** `vmx-15`. */
  readonly hardwareVersion: string | undefined;
  readonly cpus: number | undefined;
  readonly memoryBytes: number | undefined;
  /** bios when the descriptor does not say. */
  readonly firmware: string;
  readonly secureBoot: boolean;
  readonly transport: string | undefined;
  readonly controllers: readonly string[];
  readonly nics: readonly { readonly type: string; readonly network: string }[];
  readonly networks: readonly string[];
  readonly files: readonly OvfFile[];
  readonly disks: readonly OvfDiskEntry[];
  /** What disk items refer to: `ovf:/disk/vmdisk1`. */
  readonly hostResources: readonly string[];
  readonly properties: Readonly<Record<string, string>>;
  readonly extraConfig: Readonly<Record<string, string>>;
}

const resourceTypes = { cpu: '3', memory: '4', scsi: '6', nic: '10', disk: '17' } as const;

/** @throws KvmimgError `ovf-damaged`. */
export async function parseOvf(text: string): Promise<OvfDescription> {
  const envelope = await parseXml(text).catch((cause: unknown) => {
    throw damaged(`it is not well-formed XML: ${messageOf(cause).split('\n')[0]}`, cause);
  });
  const system = findNode(envelope, 'VirtualSystem');
  if (envelope.name !== 'Envelope' || !system) throw damaged('it has no Envelope with a VirtualSystem');
  const hardware = findNode(system, 'VirtualHardwareSection');
  return {
    name: findNode(system, 'Name')?.text ?? system.attributes.id ?? '',
    ...readProduct(system),
    ...readOperatingSystem(system),
    ...readHardware(hardware),
    networks: childrenOf(findNode(envelope, 'NetworkSection'), 'Network').map((node) => node.attributes.name ?? ''),
    files: childrenOf(findNode(envelope, 'References'), 'File').map(readFileEntry),
    disks: childrenOf(findNode(envelope, 'DiskSection'), 'Disk').map(readDiskEntry),
  };
}

function readProduct(system: XmlNode) {
  const product = findNode(system, 'ProductSection');
  const properties = childrenOf(product, 'Property').map(({ attributes }) => [
    attributes.key ?? '',
    attributes.value ?? '',
  ]);
  return {
    title: findNode(product, 'Product')?.text,
    productVersion: findNode(product, 'Version')?.text,
    properties: Object.fromEntries(properties) as Record<string, string>,
  };
}

function readOperatingSystem(system: XmlNode) {
  const attributes = findNode(system, 'OperatingSystemSection')?.attributes;
  return { osId: wholeNumber(attributes?.id), osType: attributes?.osType };
}

function readHardware(hardware: XmlNode | undefined) {
  const items = childrenOf(hardware, 'Item');
  const itemsOf = (type: string) => items.filter((item) => findNode(item, 'ResourceType')?.text === type);
  const config = keyValues(childrenOf(hardware, 'Config'));
  const memory = itemsOf(resourceTypes.memory)[0];
  const memoryUnits = wholeNumber(findNode(memory, 'VirtualQuantity')?.text);
  return {
    hardwareVersion: findNode(hardware, 'System', 'VirtualSystemType')?.text,
    transport: hardware?.attributes.transport,
    cpus: wholeNumber(findNode(itemsOf(resourceTypes.cpu)[0], 'VirtualQuantity')?.text),
    memoryBytes: memoryUnits && memoryUnits * unitBytes(findNode(memory, 'AllocationUnits')?.text),
    firmware: config.firmware ?? 'bios',
    secureBoot: config['bootOptions.efiSecureBootEnabled'] === 'true',
    controllers: itemsOf(resourceTypes.scsi).map((item) => findNode(item, 'ResourceSubType')?.text ?? ''),
    nics: itemsOf(resourceTypes.nic).map((item) => ({
      type: findNode(item, 'ResourceSubType')?.text ?? '',
      network: findNode(item, 'Connection')?.text ?? '',
    })),
    hostResources: itemsOf(resourceTypes.disk).map((item) => findNode(item, 'HostResource')?.text ?? ''),
    extraConfig: keyValues(childrenOf(hardware, 'ExtraConfig')),
  };
}

function keyValues(nodes: readonly XmlNode[]): Record<string, string> {
  return Object.fromEntries(nodes.map(({ attributes }) => [attributes.key ?? '', attributes.value ?? '']));
}

function readFileEntry({ attributes }: XmlNode): OvfFile {
  return { id: attributes.id ?? '', href: attributes.href ?? '', sizeBytes: wholeNumber(attributes.size) };
}

function readDiskEntry({ attributes }: XmlNode): OvfDiskEntry {
  const capacity = wholeNumber(attributes.capacity) ?? 0;
  return {
    diskId: attributes.diskId ?? '',
    fileRef: attributes.fileRef,
    capacityBytes: capacity * unitBytes(attributes.capacityAllocationUnits),
  };
}

/** Bytes of one CIM allocation unit: `byte * 2^20`, or the old `MegaBytes`; the byte where nothing is said. */
export function unitBytes(units: string | undefined): number {
  const power = /^byte\s*\*\s*2\^(\d{1,2})$/.exec(units?.trim() ?? '')?.[1];
  if (power) return 2 ** Number(power);
  const old = { kilobytes: 2 ** 10, megabytes: 2 ** 20, gigabytes: 2 ** 30 } as Readonly<Record<string, number>>;
  return old[units?.trim().toLowerCase() ?? ''] ?? 1;
}

function wholeNumber(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

function damaged(why: string, cause?: unknown): KvmimgError {
  const message = `The OVF descriptor cannot be used: ${why}.`;
  return new KvmimgError({ code: 'ovf-damaged', message, hint: 'Fetch or make the OVA again.', cause });
}
