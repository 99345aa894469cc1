import { withByteSource } from './byte-source.ts';
import type { WorkOptions } from './export-format.ts';
import { diskOfOva, findManifestProblems, type OvaContents } from './ova-reader.ts';
import type { TarMember } from './tar-members.ts';
import { readVmdkExtent } from './vmdk-extent.ts';

/**
 * Everything that importers are known to stumble over in an OVA: order and dialect of the tar, digests, references of
 * the descriptor, and the disk's capacity. Gives what is wrong, empty when all is well.
 */
export async function findOvaProblems(ova: OvaContents, options: WorkOptions = {}): Promise<string[]> {
  return [
    ...findTarProblems(ova),
    ...findReferenceProblems(ova),
    ...(await findManifestProblems(ova, options)),
    ...(await findDiskProblems(ova)),
  ];
}

/** DSP0243 5.3: the descriptor first, then the manifest, then what the descriptor refers to. */
export function findTarProblems(ova: Pick<OvaContents, 'members' | 'descriptorName'>): string[] {
  const [first, second] = ova.members;
  const hasManifest = ova.members.some((member) => member.name.endsWith('.mf'));
  const orderProblems = [
    ...(first?.name === ova.descriptorName ? [] : ['the descriptor is not the first member']),
    ...(hasManifest && !second?.name.endsWith('.mf') ? ['the manifest is not the second member'] : []),
  ];
  return [...orderProblems, ...ova.members.flatMap(findMemberProblems)];
}

function findMemberProblems(member: TarMember): string[] {
  const { name } = member;
  return [
    ...(member.isFile ? [] : [`${name} is not a regular file`]),
    ...(member.isUstar ? [] : [`${name} is not in the ustar dialect of tar`]),
    ...(/^[^/\\]+$/.test(name) && name !== '..' ? [] : [`${name} is not a plain file name`]),
  ];
}

export function findReferenceProblems({ descriptor, members }: Pick<OvaContents, 'descriptor' | 'members'>): string[] {
  const { files, disks, hostResources, nics, networks } = descriptor;
  const fileProblems = files.flatMap(({ href, sizeBytes }) => {
    const member = members.find((candidate) => candidate.name === href);
    if (!member) return [`the descriptor refers to ${href}, which the OVA does not hold`];
    if (sizeBytes === undefined || sizeBytes === member.sizeBytes) return [];
    return [`the descriptor gives ${href} ${sizeBytes} bytes, it has ${member.sizeBytes}`];
  });
  const diskIds = disks.map((disk) => disk.diskId);
  return [
    ...fileProblems,
    ...disks
      .filter((disk) => !files.some((file) => file.id === disk.fileRef))
      .map((disk) => `disk ${disk.diskId} refers to the file ${disk.fileRef}, which the descriptor does not list`),
    ...hostResources
      .filter((resource) => !diskIds.includes(resource.replace(/^(ovf:)?\/disk\//, '')))
      .map((resource) => `a disk item refers to ${resource}, which the descriptor does not list`),
    ...nics
      .filter((nic) => !networks.includes(nic.network))
      .map((nic) => `a network adapter refers to the network ${nic.network}, which the descriptor does not list`),
  ];
}

async function findDiskProblems(ova: OvaContents): Promise<string[]> {
  const { header, endsWithMarker } = await withByteSource(diskOfOva(ova), readVmdkExtent);
  const claimed = ova.descriptor.disks[0]?.capacityBytes;
  return [
    ...(claimed === header.capacityBytes
      ? []
      : [`the descriptor says ${claimed} bytes of capacity, the VMDK ${header.capacityBytes}`]),
    ...(endsWithMarker ? [] : ['the VMDK does not end with an end-of-stream marker']),
  ];
}
