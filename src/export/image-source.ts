import type { DiskImage } from '../disk/disk-image.ts';
import { type DiskInfo, readDiskInfo } from '../disk/disk-info.ts';
import { readImageKind } from '../disk/image-kind.ts';
import { checkDisk, type QemuImgOptions } from '../disk/qemu-img.ts';
import { KvmimgError, type Problem } from '../errors.ts';
import { withByteSource } from './byte-source.ts';
import { diskOfOva, findManifestProblems, type OvaContents, readOva } from './ova-reader.ts';
import { readVmdkExtent } from './vmdk-extent.ts';

/** An image that a user handed over: the disk in it, and the OVA around it if there is one. */
export interface ImageSource {
  readonly path: string;
  readonly disk: DiskImage;
  readonly info: DiskInfo;
  readonly ova: OvaContents | undefined;
}

/**
 * Opens a qcow2, raw, VMDK or OVA.
 *
 * @throws KvmimgError `not-an-image` (saying what it is instead), `image-missing`, `ova-damaged`, `ova-disks`.
 */
export async function openImage(path: string, options: QemuImgOptions = {}): Promise<ImageSource> {
  const kind = await readImageKind(path);
  if (kind.is === 'other') {
    const message = `${path} is not a disk image: it is ${kind.what}.`;
    const hint = kind.hint ?? 'kvmimg reads qcow2, raw, vmdk and ova.';
    throw new KvmimgError({ code: 'not-an-image', message, hint });
  }
  const ova = kind.is === 'ova' ? await readOva(path, options) : undefined;
  const disk: DiskImage = kind.is === 'disk' ? { path, format: kind.format } : diskOfOva(ova ?? (await readOva(path)));
  return { path, disk, info: await readDiskInfo(disk, options), ova };
}

/** A failure about an image as wrong input, which names the path but once. */
export function describeAsInput(path: string, { message, hint }: KvmimgError): Problem {
  const told = message.replace(`${path} `, '').replace(/\.$/, '');
  return { place: path, message: told, ...(hint === undefined ? {} : { hint }) };
}

/**
 * What is wrong with the source, so that a conversion would write a damaged disk: digests of the OVA's manifest, and the
 * image's own tables. A qcow2 that was cut off reads as zeros without any error, and only this shows it.
 *
 * @throws KvmimgError `vmdk-damaged`.
 */
export async function findSourceProblems(source: ImageSource, options: QemuImgOptions = {}): Promise<string[]> {
  const { disk, info, ova } = source;
  if (isSparseVmdk(info)) await withByteSource(disk, readVmdkExtent);
  const manifestProblems = ova ? await findManifestProblems(ova, options) : [];
  if (disk.format !== 'qcow2') return manifestProblems;
  const check = await checkDisk(disk, options);
  const isDamaged = check.state === 'corrupt' || info.markedCorrupt;
  return [...manifestProblems, ...(isDamaged ? ['its tables are damaged, or it was cut off (qemu-img check)'] : [])];
}

/** A VMDK that is one sparse extent; others are a text that names the files of the extents. */
export function isSparseVmdk(info: DiskInfo): boolean {
  return info.subformat === 'streamOptimized' || info.subformat === 'monolithicSparse';
}
