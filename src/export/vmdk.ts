import { open } from 'node:fs/promises';
import { convertDisk } from '../disk/qemu-img.ts';
import { byteSource } from './byte-source.ts';
import { part, verifySameDisk, type WorkOptions, type WriteRequest } from './export-format.ts';
import { changeDescriptor, contentId } from './vmdk-descriptor.ts';
import { readVmdkExtent, type VmdkExtent, vmdkSectorBytes } from './vmdk-extent.ts';

/** A stream-optimized VMDK, as vSphere imports it and as an OVA holds it. */
export async function writeVmdk(request: WriteRequest, options: WorkOptions): Promise<void> {
  const destination = { path: request.path, format: 'vmdk' as const };
  const formatOptions = {
    subformat: 'streamOptimized',
    adapter_type: 'lsilogic',
    hwversion: request.facts.hardwareVersion,
  };
  await convertDisk({ source: request.source, destination, formatOptions }, part(options, 0, 0.7));
  await finishVmdk(request.path, request.finalName);
  await verifySameDisk(request.source, destination, part(options, 0.7, 1));
}

/**
 * Ends the file as VMware's own writer does: exactly one end-of-stream sector right after the last grain. qemu-img
 * leaves up to 64 KiB of zeros there instead, and importers that hash the stream up to its end then find another digest
 * than the manifest's (coreos/coreos-assembler#1156, osbuild/image-builder#431). Also takes chance out of the descriptor.
 */
export async function finishVmdk(path: string, fileName: string): Promise<VmdkExtent> {
  const file = await open(path, 'r+');
  try {
    const { size } = await file.stat();
    const extent = await readVmdkExtent(byteSource(file, 0, size));
    const { grainsEndBytes, header } = extent;
    await file.truncate(grainsEndBytes);
    await file.write(Buffer.alloc(vmdkSectorBytes), 0, vmdkSectorBytes, grainsEndBytes);
    const cid = contentId(extent.tablesSha256);
    const descriptor = Buffer.alloc(header.descriptorSizeBytes);
    const length = descriptor.write(changeDescriptor(extent.descriptor, { cid, fileName }));
    if (length === descriptor.length) throw new Error('the VMDK descriptor does not fit its place');
    await file.write(descriptor, 0, descriptor.length, header.descriptorOffsetBytes);
    return await readVmdkExtent(byteSource(file, 0, grainsEndBytes + vmdkSectorBytes));
  } finally {
    await file.close();
  }
}
