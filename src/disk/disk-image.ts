import { resolve } from 'node:path';

/** What QEMU calls its drivers; an OVA is a tar file with a VMDK in it. */
export const diskFormats = ['qcow2', 'raw', 'vmdk'] as const;
export type DiskFormat = (typeof diskFormats)[number];

/** A disk image: a file, or a part of one (the VMDK in an OVA). The format is always told, never guessed by QEMU. */
export interface DiskImage {
  readonly path: string;
  readonly format: DiskFormat;
  /** Where in the file the image lies; the whole file if left out. */
  readonly within?: { readonly offsetBytes: number; readonly sizeBytes: number } | undefined;
}

/** A piece of the virtual disk. */
export interface DiskRange {
  readonly offsetBytes: number;
  readonly sizeBytes: number;
}

type BlockNode = { readonly [option: string]: string | number | BlockNode };

function blockNode(image: DiskImage): BlockNode {
  const file: BlockNode = { driver: 'file', filename: resolve(image.path) };
  if (!image.within) return { driver: image.format, file };
  const { offsetBytes, sizeBytes } = image.within;
  return { driver: image.format, file: { driver: 'raw', offset: offsetBytes, size: sizeBytes, file } };
}

/**
 * The image as a file name for qemu-img. A `json:` name states the format (a raw disk that a guest has written a qcow2
 * header to stays raw), takes any path (QEMU reads `a:b` as protocol a), and can point into a file.
 */
export function imageName(image: DiskImage): string {
  return `json:${JSON.stringify(blockNode(image))}`;
}

/** A range of the virtual disk as a file name for qemu-img, which reads it as a raw disk of that size. */
export function rangeName(image: DiskImage, range: DiskRange): string {
  const node = { driver: 'raw', offset: range.offsetBytes, size: range.sizeBytes, file: blockNode(image) };
  return `json:${JSON.stringify(node)}`;
}
