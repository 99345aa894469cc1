import type { PartitionContent } from '../disk/disk-layout.ts';
import type { FileSystem } from '../disk/file-system.ts';
import { formatSize } from '../recipe/quantities.ts';
import type { BuildDescription, DiskDescription, ImageDescription, OvaDescription } from './inspect-image.ts';

const labelWidth = 13;

function row(label: string, value: string): string {
  return `${`${label}:`.padEnd(labelWidth)} ${value}`;
}

/** The description as lines for a person. */
export function renderDescription(image: ImageDescription): string[] {
  return [
    row('image', printable(image.path)),
    row('format', image.format),
    row('file', `${formatSize(image.fileSizeBytes)}, ${formatSize(image.allocatedBytes)} on disk`),
    ...(image.sha256 ? [row('sha256', image.sha256)] : []),
    ...renderDisk(image.disk),
    ...(image.ova ? renderOva(image.ova) : []),
    ...(image.build ? renderBuild(image.build) : []),
  ].map(printable);
}

function renderDisk(disk: DiskDescription): string[] {
  const { layout, qcow2, vmdk } = disk;
  const boots = [...(layout.boots.bios ? ['BIOS'] : []), ...(layout.boots.uefi ? ['UEFI'] : [])].join(' and ');
  return [
    row('disk', `${formatSize(disk.virtualSizeBytes)} (${disk.virtualSizeBytes} bytes)`),
    ...(qcow2 ? [row('qcow2', renderQcow2(qcow2))] : []),
    ...(vmdk ? [row('vmdk', renderVmdk(vmdk))] : []),
    ...disk.backingChain.map(({ path, format }) => row('backing file', `${path} (${format})`)),
    row('partitions', layout.table === 'none' ? 'no partition table' : `${layout.table.toUpperCase()} table`),
    ...layout.partitions.map(renderPartition),
    ...(layout.fileSystem ? [row('file system', renderFileSystem(layout.fileSystem))] : []),
    row('boots with', boots || 'nothing that was found'),
    ...layout.problems.map((problem) => row('problem', problem)),
  ];
}

function renderQcow2({ compat, compressedFraction, check }: NonNullable<DiskDescription['qcow2']>): string {
  const compressed = compressedFraction > 0 ? 'compressed' : 'not compressed';
  return `compat ${compat ?? 'unknown'}, ${compressed}, tables ${check}`;
}

function renderVmdk(vmdk: NonNullable<DiskDescription['vmdk']>): string {
  const marker = vmdk.subformat === 'streamOptimized' && !vmdk.endsWithMarker ? ', no end-of-stream marker' : '';
  const hardware = vmdk.hardwareVersion === undefined ? '' : `, hardware ${vmdk.hardwareVersion}`;
  return `${vmdk.subformat}, version ${vmdk.version}, adapter ${vmdk.adapterType ?? 'unknown'}${hardware}${marker}`;
}

function renderPartition(partition: PartitionContent): string {
  const { number, type, sizeBytes, name, active, fileSystem } = partition;
  const parts = [
    `${number}  ${type}`,
    formatSize(sizeBytes),
    ...(name ? [`"${name}"`] : []),
    ...(active ? ['active'] : []),
    ...(fileSystem ? [renderFileSystem(fileSystem)] : []),
  ];
  return `  ${parts.join(', ')}`;
}

function renderFileSystem({ type, uuid, label }: FileSystem): string {
  return `${type}${uuid ? ` ${uuid}` : ''}${label ? ` "${label}"` : ''}`;
}

function renderOva({ members, manifest, problems, machine }: OvaDescription): string[] {
  const system = machine.osType ?? (machine.osId === undefined ? 'not told' : `CIM id ${machine.osId}`);
  const memory = machine.memoryBytes === undefined ? 'unknown memory' : formatSize(machine.memoryBytes);
  const manifestText = { matches: 'all digests match', differs: 'does not match', none: 'none' }[manifest];
  return [
    row('members', members.map(({ name, sizeBytes }) => `${name} (${formatSize(sizeBytes)})`).join(', ')),
    row('manifest', manifestText),
    row('machine', machine.name),
    ...(machine.title ? [row('product', `${machine.title}, version ${machine.productVersion ?? 'not told'}`)] : []),
    row('system', `${system}, ${machine.hardwareVersion ?? 'hardware version not told'}, firmware ${machine.firmware}`),
    row(
      'hardware',
      `${machine.cpus ?? 'unknown'} CPUs, ${memory}, controller ${machine.controllers.join(', ') || 'none'}`,
    ),
    ...machine.nics.map(({ type, network }) => row('network', `${type} on ${network}`)),
    ...machine.disks.map(({ diskId, capacityBytes }) => row('capacity', `${diskId} ${formatSize(capacityBytes)}`)),
    ...problems.map((problem) => row('problem', problem)),
  ];
}

function renderBuild(build: BuildDescription): string[] {
  return [
    row('built', `${build.name} from ${build.distro} by kvmimg ${build.kvmimgVersion}, ${build.createdAt}`),
    row('packages', String(build.packageCount)),
    row('digest', `${build.digest} the build's manifest`),
  ];
}

/** Labels and names come from the image: nothing in them may steer the terminal. */
function printable(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, '?');
}
