import type { DiskImage } from '../disk/disk-image.ts';
import { compareDisks } from '../disk/qemu-img.ts';
import { KvmimgError } from '../errors.ts';
import type { MachineFacts } from './machine-facts.ts';

/** What one format is to be written from. */
export interface WriteRequest {
  readonly source: DiskImage;
  /** Where to write, to be renamed later. */
  readonly path: string;
  /** File name that the finished file will have. */
  readonly finalName: string;
  readonly facts: MachineFacts;
}

export interface WorkOptions {
  readonly signal?: AbortSignal | undefined;
  /** 0 to 1. */
  readonly onProgress?: ((fraction: number) => void) | undefined;
}

/** Options for one part of the work, whose progress fills `from` to `to` of the whole. */
export function part(
  options: WorkOptions,
  from: number,
  to: number,
): { readonly signal?: AbortSignal; readonly onProgress: (fraction: number) => void } {
  const onProgress = (fraction: number): void => options.onProgress?.(from + (to - from) * fraction);
  return options.signal ? { signal: options.signal, onProgress } : { onProgress };
}

/** @throws KvmimgError `export-differs` when a guest would not read from `written` what it reads from `source`. */
export async function verifySameDisk(source: DiskImage, written: DiskImage, options: WorkOptions): Promise<void> {
  const comparison = await compareDisks(source, written, part(options, 0, 1));
  if (comparison.same) return;
  throw new KvmimgError({
    code: 'export-differs',
    message: `The ${written.format} file does not hold the disk that it was made from: ${comparison.difference}`,
    hint: 'Was the source written to meanwhile? If not, please report this.',
  });
}
