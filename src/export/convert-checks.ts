import { realpath } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { BackingFile } from '../disk/disk-info.ts';
import { measureDisk } from '../disk/qemu-img.ts';
import type { Problem } from '../errors.ts';
import { type FolderFacts, isOtherThanFile, readFolderFacts } from '../host/folder-facts.ts';
import { formatSize } from '../recipe/quantities.ts';
import type { Format } from '../recipe/schema.ts';
import type { Output } from './export-images.ts';
import type { ImageSource } from './image-source.ts';

/** What a file of a format takes at least, as a part of the disk's data. Compressed ones were seen at a third. */
const formatShares: Readonly<Record<Format, number>> = { qcow2: 0.25, raw: 1, vmdk: 0.25, ova: 0.25 };

interface OutputRequest {
  readonly outputDir: string;
  readonly outputs: readonly Output[];
  readonly force: boolean;
  /** undefined when it cannot be opened. */
  readonly source: ImageSource | undefined;
}

/** A folder that cannot be written, outputs that exist or are no files, and outputs that are the source itself or what it stands on. */
export async function findOutputProblems(request: OutputRequest): Promise<Problem[]> {
  const { outputDir, outputs, force, source } = request;
  const { path: folder, obstacle } = await readFolderFacts(resolve(outputDir));
  const folderProblems = obstacle
    ? [{ place: '--output', message: `${folder} cannot be written: ${obstacle}`, hint: 'Choose another folder.' }]
    : [];
  const inputs: BackingFile[] = source ? [{ path: source.path, format: '' }, ...source.info.backingChain] : [];
  const inputPaths = await Promise.all(inputs.map((input) => findRealPath(input.path)));
  const outputProblems = await Promise.all(
    outputs.map(async ({ path, format }): Promise<Problem[]> => {
      const real = await findRealPath(path);
      if (real === undefined) return [];
      if (inputPaths.includes(real)) {
        const hint = 'Choose another folder with --output.';
        return [{ place: `--format ${format}`, message: `${path} is what the image is read from`, hint }];
      }
      if (await isOtherThanFile(path)) {
        const hint = 'Move it away, or choose another folder with --output.';
        return [{ place: path, message: 'is there, and is no file to replace', hint }];
      }
      return force ? [] : [{ place: path, message: 'exists already', hint: 'Use --force to replace it.' }];
    }),
  );
  return [...folderProblems, ...outputProblems.flat()];
}

/** The path without links; undefined where nothing is. */
async function findRealPath(path: string): Promise<string | undefined> {
  return realpath(path).catch(() => undefined);
}

interface SpaceRequest {
  readonly outputDir: string;
  readonly formats: readonly Format[];
  readonly source: ImageSource;
}

export async function findSpaceProblems({ outputDir, formats, source }: SpaceRequest): Promise<Problem[]> {
  return judgeSpace(await measureDisk(source.disk), formats, await readFolderFacts(resolve(outputDir)));
}

/** The least that the outputs take against what is free: lets a tight conversion try, stops one that cannot succeed. */
export function judgeSpace(dataBytes: number, formats: readonly Format[], folder: FolderFacts): Problem[] {
  // An OVA alone needs its VMDK beside it for a while.
  const written = formats.includes('ova') ? [...new Set([...formats, 'vmdk' as const])] : formats;
  const neededBytes = written.reduce((sum, format) => sum + dataBytes * formatShares[format], 0);
  const { path, obstacle, freeBytes } = folder;
  if (obstacle || freeBytes >= neededBytes) return [];
  const needed = `${formatSize(neededBytes)} are needed at least`;
  const message = `no space for the outputs: ${path} has ${formatSize(freeBytes)} free, ${needed}`;
  return [{ place: '--output', message, hint: 'Free some space there, or choose a folder on another disk.' }];
}
