import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import type { DiskImage } from '../disk/disk-image.ts';
import { withScope } from '../lifecycle/scope.ts';
import type { Format } from '../recipe/schema.ts';
import { allOrAbort } from './all-or-abort.ts';
import { part, type WorkOptions, type WriteRequest } from './export-format.ts';
import { type FileDigest, readDigest } from './file-digest.ts';
import type { MachineFacts } from './machine-facts.ts';
import { ustarMaxBytes, writeOva } from './ova.ts';
import { commitFile, describeWriteFailure, flushFile, makePartial } from './partial-file.ts';
import { writeQcow2 } from './qcow2.ts';
import { writeRaw } from './raw.ts';
import { writeVmdk } from './vmdk.ts';

/** A file to write: its format and where it goes. */
export interface Output {
  readonly format: Format;
  readonly path: string;
}

export interface ExportedImage extends Output, FileDigest {
  /** What the user should know about the file. */
  readonly warnings: readonly string[];
}

/** A file that is complete, verified and flushed under its partial name. */
export interface StagedFile extends ExportedImage {
  readonly partialPath: string;
}

export interface ExportOptions {
  readonly signal?: AbortSignal;
  /** The whole, 0 to 1, and in words what each format is at: `qcow2 40 %, vmdk 12 %`. */
  readonly onProgress?: (fraction: number, activity: string) => void;
  /** Called when every file is whole, before the first is renamed into place. */
  readonly onStaged?: (files: readonly StagedFile[]) => Promise<void>;
}

export interface ExportRequest {
  readonly source: DiskImage;
  readonly outputs: readonly Output[];
  readonly facts: MachineFacts;
}

/**
 * Writes the disk of `source` in each format (one file a format), side by side, from one conversion where formats share it. Each file is
 * verified against the source before any is renamed into place; a failure or an abort leaves nothing.
 *
 * @throws KvmimgError `no-space`, `image-in-use`, `not-an-image`, `export-differs`, `ova-check-failed`.
 */
export async function exportImages(request: ExportRequest, options: ExportOptions = {}): Promise<ExportedImage[]> {
  const outputs = [...new Map(request.outputs.map((output) => [output.format, output])).values()];
  return withScope(async (scope) => {
    const progressOf = shareProgress(formatsWritten(outputs), options);
    const partialOf = (path: string): Promise<string> => makePartial(path, scope);
    const staged = await allOrAbort(options.signal, (signal) => {
      return startStaging({ ...request, outputs }, partialOf, (format) => ({ signal, onProgress: progressOf(format) }));
    });
    await options.onStaged?.(staged);
    for (const file of staged) await commitFile(file.partialPath, file.path);
    return staged.map(({ partialPath: _, ...exported }) => exported);
  });
}

type OptionsOf = (format: Format) => WorkOptions;
type ProgressListener = (fraction: number) => void;

/** An OVA is made from a VMDK, asked for or not. */
function formatsWritten(outputs: readonly Output[]): Format[] {
  const asked = outputs.map((output) => output.format);
  return asked.includes('ova') ? [...new Set([...asked, 'vmdk' as const])] : asked;
}

/** Starts every format; the OVA begins when its VMDK is there, which is the VMDK output where one is asked for. */
function startStaging(
  { source, outputs, facts }: ExportRequest,
  partialOf: (path: string) => Promise<string>,
  optionsOf: OptionsOf,
): Promise<StagedFile>[] {
  const stage = (output: Output, write: Writer): Promise<StagedFile> => {
    const place = { source, facts, finalName: basename(output.path) };
    const writeAt = (path: string, options: WorkOptions): Promise<void> => write({ ...place, path }, options);
    return stageFile(output, partialOf, writeAt, optionsOf(output.format));
  };
  const ova = outputs.find((output) => output.format === 'ova');
  const vmdk = outputs.find((output) => output.format === 'vmdk');
  const vmdkInside = ova ? { format: 'vmdk' as const, path: ova.path.replace(/(\.ova)?$/, '.vmdk') } : undefined;
  const vmdkWanted = vmdk ?? vmdkInside;
  const vmdkStaged = vmdkWanted ? stage(vmdkWanted, writeVmdk) : undefined;
  // Its failure is thrown by whoever waits for it.
  vmdkStaged?.catch(() => {});
  return outputs.map(async (output) => {
    if (output.format === 'qcow2') return stage(output, writeQcow2);
    if (output.format === 'raw') return stage(output, writeRaw);
    if (!vmdkStaged) throw new Error('the VMDK was not started');
    const disk = await vmdkStaged;
    if (output.format === 'vmdk') return disk;
    const inside = { path: disk.partialPath, sizeBytes: disk.sizeBytes, sha256: disk.sha256 };
    const staged = await stage(output, (place, options) => writeOva({ ...place, vmdk: inside }, options));
    return { ...staged, warnings: disk.sizeBytes > ustarMaxBytes ? [largeMemberWarning] : [] };
  });
}

const largeMemberWarning =
  'The VMDK in the OVA is 8 GiB or larger, so its size is written in the base-256 form of GNU tar; ' +
  'importers that know plain ustar only cannot read it.';

type Writer = (request: WriteRequest, options: WorkOptions) => Promise<void>;

async function stageFile(
  output: Output,
  partialOf: (path: string) => Promise<string>,
  writeAt: (path: string, options: WorkOptions) => Promise<void>,
  options: WorkOptions,
): Promise<StagedFile> {
  try {
    const partialPath = await partialOf(output.path);
    await writeAt(partialPath, part(options, 0, 0.9));
    await flushFile(partialPath);
    const { size: sizeBytes } = await stat(partialPath);
    const sha256 = await readDigest({ path: partialPath, sizeBytes }, 'sha256', part(options, 0.9, 1));
    return { ...output, partialPath, sizeBytes, sha256, warnings: [] };
  } catch (error) {
    throw describeWriteFailure(error, output.path);
  }
}

/** One progress made of that of each format, told when a whole percent has passed. */
function shareProgress(formats: readonly Format[], options: ExportOptions): (format: Format) => ProgressListener {
  const fractions = new Map<Format, number>(formats.map((format) => [format, 0]));
  let toldPercent = -1;
  return (format) => (fraction) => {
    fractions.set(format, fraction);
    const all = [...fractions];
    const whole = all.reduce((sum, [, value]) => sum + value, 0) / all.length;
    const percent = Math.floor(whole * 100);
    if (percent <= toldPercent) return;
    toldPercent = percent;
    const unfinished = all.filter(([, value]) => value < 1);
    const begun = unfinished.filter(([, value]) => value > 0);
    const running = begun.length > 0 ? begun : unfinished;
    options.onProgress?.(whole, running.map(([name, value]) => `${name} ${Math.floor(value * 100)} %`).join(', '));
  };
}
