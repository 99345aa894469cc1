import { z } from 'zod';
import { KvmimgError } from '../errors.ts';
import type { DiskFormat, DiskImage } from './disk-image.ts';
import { readImageKind } from './image-kind.ts';
import { type QemuImgOptions, readInfoJson } from './qemu-img.ts';

const infoEntry = z.object({
  filename: z.string(),
  format: z.string(),
  'virtual-size': z.number(),
  'backing-filename': z.string().optional(),
  'full-backing-filename': z.string().optional(),
  'format-specific': z
    .object({
      data: z
        .object({
          compat: z.string().optional(),
          'compression-type': z.string().optional(),
          corrupt: z.boolean().optional(),
          'create-type': z.string().optional(),
        })
        .loose(),
    })
    .loose()
    .optional(),
});
const infoChain = z.array(infoEntry).min(1);

export interface BackingFile {
  readonly path: string;
  readonly format: string;
}

/** What qemu-img knows about an image. */
export interface DiskInfo {
  readonly format: DiskFormat;
  /** Size of the disk that a guest sees. */
  readonly virtualSizeBytes: number;
  /** qcow2: 0.10 or 1.1. */
  readonly compat: string | undefined;
  /** VMDK: streamOptimized, monolithicSparse... */
  readonly subformat: string | undefined;
  readonly markedCorrupt: boolean;
  /** Nearest first; empty for an image that stands alone. */
  readonly backingChain: readonly BackingFile[];
}

/**
 * Reads what an image is. The format is found by the file's first bytes unless it is given; anything that is no other
 * kind of file is raw.
 *
 * @throws KvmimgError `not-an-image` (saying what it is instead), `image-missing`, `image-in-use`, `backing-missing`.
 */
export async function readDiskInfo(
  image: string | DiskImage,
  options: QemuImgOptions & { readonly format?: DiskFormat } = {},
): Promise<DiskInfo> {
  const disk = typeof image === 'string' ? { path: image, format: options.format ?? (await findFormat(image)) } : image;
  return parseDiskInfo(await readInfoJson(disk, options), disk);
}

async function findFormat(path: string): Promise<DiskFormat> {
  const kind = await readImageKind(path);
  if (kind.is === 'disk') return kind.format;
  throw new KvmimgError({
    code: 'not-an-image',
    message: `${path} is not a disk image: it is ${kind.is === 'ova' ? 'an OVA' : kind.what}.`,
    hint: kind.is === 'other' ? kind.hint : undefined,
  });
}

export function parseDiskInfo(json: unknown, disk: DiskImage): DiskInfo {
  const [top, ...backing] = infoChain.parse(json);
  if (!top) throw new Error('qemu-img info told nothing');
  const specific = top['format-specific']?.data;
  return {
    format: disk.format,
    virtualSizeBytes: top['virtual-size'],
    compat: specific?.compat,
    subformat: specific?.['create-type'],
    markedCorrupt: specific?.corrupt ?? false,
    backingChain: backing.map((entry) => ({ path: entry.filename, format: entry.format })),
  };
}
