import { existsSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { z } from 'zod';
import { type RunResult, run } from '../process/run.ts';
import { type DiskFormat, type DiskImage, type DiskRange, imageName, rangeName } from './disk-image.ts';
import { type CallFiles, type Circumstances, describeQemuImgFailure } from './qemu-img-failure.ts';

export interface QemuImgOptions {
  readonly signal?: AbortSignal;
  /** 0 to 1, as the work goes on. */
  readonly onProgress?: (fraction: number) => void;
  /** Read an image that a running machine holds; what is read may be from different moments. */
  readonly whileInUse?: boolean;
}

interface Call extends QemuImgOptions, CallFiles {
  readonly okExitCodes?: readonly number[];
}

/** The one way to call qemu-img. Failures come as sentences about the files of the call. */
async function qemuImg(args: readonly string[], call: Call): Promise<RunResult> {
  const { signal, onProgress, okExitCodes } = call;
  try {
    return await run('qemu-img', args, {
      endsWithKvmimg: true,
      ...(signal ? { signal } : {}),
      ...(okExitCodes ? { okExitCodes } : {}),
      ...(onProgress ? { onOutput: makeProgressReader(onProgress) } : {}),
    });
  } catch (error) {
    throw describeQemuImgFailure(error, call, await lookAround(call));
  }
}

const fullBelowBytes = 2 ** 20;

async function lookAround({ reads, writes }: CallFiles): Promise<Circumstances> {
  const space = writes === undefined ? undefined : await statfs(dirname(resolve(writes))).catch(() => undefined);
  return {
    readFileExists: reads !== undefined && existsSync(reads),
    deviceIsFull: space !== undefined && space.bavail * space.bsize < fullBelowBytes,
  };
}

/** Reads `(12.50/100%)` from pieces of output, however they are cut. */
export function makeProgressReader(onProgress: (fraction: number) => void): (piece: string) => void {
  let rest = '';
  return (piece) => {
    rest = (rest + piece).slice(-200);
    const percent = [...rest.matchAll(/\((\d+(?:\.\d+)?)\/100%\)/g)].at(-1);
    if (!percent) return;
    rest = rest.slice(percent.index + percent[0].length);
    onProgress(Math.min(Number(percent[1]) / 100, 1));
  };
}

/** Options of a format as qemu-img's `-o` takes them; a comma in a value is doubled. */
export function formatOptions(options: Readonly<Record<string, string | number>>): string {
  return Object.entries(options)
    .map(([key, value]) => `${key}=${String(value).replaceAll(',', ',,')}`)
    .join(',');
}

function readFlags(options: QemuImgOptions): string[] {
  return options.whileInUse ? ['-U'] : [];
}

export interface NewDisk {
  readonly path: string;
  readonly format: DiskFormat;
  /** Size of the virtual disk; may be left out for an overlay, which takes that of its backing file. */
  readonly sizeBytes?: number;
  /** The new disk holds only what differs from this one. A relative path is relative to the new disk. */
  readonly backing?: {
    readonly path: string;
    readonly format: DiskFormat;
    /** It is not there yet; `sizeBytes` must be given then. */
    readonly comesLater?: boolean;
  };
}

/** @throws KvmimgError `no-space`, `image-permission`, `backing-missing`. */
export async function createDisk(disk: NewDisk, options: QemuImgOptions = {}): Promise<void> {
  const { path, format, sizeBytes, backing } = disk;
  const unopened = backing?.comesLater ? ['-u'] : [];
  const backingArgs = backing ? [...unopened, '-b', backing.path, '-F', backing.format] : [];
  const sizeArgs = sizeBytes === undefined ? [] : [String(sizeBytes)];
  await qemuImg(['create', '-q', '-f', format, ...backingArgs, path, ...sizeArgs], { ...options, writes: path });
}

export interface Conversion {
  readonly source: DiskImage;
  readonly destination: { readonly path: string; readonly format: DiskFormat };
  /** Compress the data; only qcow2 asks for it (VMDK does so by its subformat). */
  readonly compress?: boolean;
  readonly formatOptions?: Readonly<Record<string, string | number>>;
}

/**
 * Writes the disk that `source` and its backing files show to `destination`. Blocks of zeros become holes. Written in
 * order, so that the same disk gives the same file.
 *
 * @throws KvmimgError `no-space` about the destination, `image-in-use`, `not-an-image`.
 */
export async function convertDisk(conversion: Conversion, options: QemuImgOptions = {}): Promise<void> {
  const { source, destination } = conversion;
  const given = conversion.formatOptions ?? {};
  const args = [
    ...['convert', '-p'],
    ...readFlags(options),
    ...(conversion.compress ? ['-c'] : []),
    ...['-O', destination.format],
    ...(Object.keys(given).length > 0 ? ['-o', formatOptions(given)] : []),
    ...[imageName(source), destination.path],
  ];
  await qemuImg(args, { ...options, reads: source.path, writes: destination.path });
}

/** Writes ranges of the virtual disk one behind the other to a file. */
export async function convertRanges(
  source: DiskImage,
  ranges: readonly DiskRange[],
  destination: string,
  options: QemuImgOptions = {},
): Promise<void> {
  const names = ranges.map((range) => rangeName(source, range));
  await qemuImg(['convert', ...readFlags(options), '-O', 'raw', ...names, destination], {
    ...options,
    reads: source.path,
    writes: destination,
  });
}

export type Comparison = { readonly same: true } | { readonly same: false; readonly difference: string };

/** Compares what a guest would read. A difference in size counts only where the longer one has data there. */
export async function compareDisks(a: DiskImage, b: DiskImage, options: QemuImgOptions = {}): Promise<Comparison> {
  const args = ['compare', '-p', ...readFlags(options), imageName(a), imageName(b)];
  const result = await qemuImg(args, { ...options, reads: b.path, okExitCodes: [0, 1] });
  if (result.exitCode === 0) return { same: true };
  const lines = `${result.stdout}\n${result.stderr}`.split(/[\r\n]/);
  const difference = lines.filter((line) => /mismatch|differ/i.test(line)).at(-1) ?? 'the contents differ';
  return { same: false, difference: difference.trim() };
}

const checkResult = z.object({
  'check-errors': z.number(),
  'image-end-offset': z.number().optional(),
  corruptions: z.number().optional(),
  leaks: z.number().optional(),
  'compressed-clusters': z.number().optional(),
  'allocated-clusters': z.number().optional(),
});

export interface DiskCheck {
  /** `leaks` wastes space and harms nothing; `unchecked` for raw, which has nothing to check. */
  readonly state: 'clean' | 'leaks' | 'corrupt' | 'unchecked';
  readonly compressedClusters: number;
  readonly allocatedClusters: number;
  /** Where the last cluster ends, by the image's own tables. */
  readonly imageEndBytes: number | undefined;
}

/** Checks the image's own tables (`qemu-img check`), without changing anything. */
export async function checkDisk(image: DiskImage, options: QemuImgOptions = {}): Promise<DiskCheck> {
  const args = ['check', ...readFlags(options), '--output=json', imageName(image)];
  // 0 clean, 2 corrupt, 3 leaked clusters, 63 the format has no check.
  const result = await qemuImg(args, { ...options, reads: image.path, okExitCodes: [0, 2, 3, 63] });
  if (result.exitCode === 63) {
    return { state: 'unchecked', compressedClusters: 0, allocatedClusters: 0, imageEndBytes: undefined };
  }
  const found = checkResult.parse(JSON.parse(result.stdout));
  const corrupt = (found.corruptions ?? 0) + found['check-errors'] > 0;
  return {
    state: corrupt || result.exitCode === 2 ? 'corrupt' : result.exitCode === 3 ? 'leaks' : 'clean',
    compressedClusters: found['compressed-clusters'] ?? 0,
    allocatedClusters: found['allocated-clusters'] ?? 0,
    imageEndBytes: found['image-end-offset'],
  };
}

const measureResult = z.object({ required: z.number() });

/** Bytes that a qcow2 of the disk would take uncompressed: its data and a little for the tables. */
export async function measureDisk(image: DiskImage, options: QemuImgOptions = {}): Promise<number> {
  const args = ['measure', ...readFlags(options), '--output=json', '-O', 'qcow2', imageName(image)];
  const result = await qemuImg(args, { ...options, reads: image.path });
  return measureResult.parse(JSON.parse(result.stdout)).required;
}

/** The JSON of `qemu-img info` for the image and its backing files, topmost first. */
export async function readInfoJson(image: DiskImage, options: QemuImgOptions = {}): Promise<unknown> {
  const args = ['info', ...readFlags(options), '--output=json', '--backing-chain', imageName(image)];
  const result = await qemuImg(args, { ...options, reads: image.path });
  return JSON.parse(result.stdout);
}
