import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import type { BackingFile } from '../disk/disk-info.ts';
import { type DiskLayout, readDiskLayout } from '../disk/disk-layout.ts';
import { checkDisk } from '../disk/qemu-img.ts';
import type { Format } from '../recipe/schema.ts';
import { type BuildRecord, findBuildRecord } from './build-record.ts';
import { withByteSource } from './byte-source.ts';
import type { WorkOptions } from './export-format.ts';
import { readDigest } from './file-digest.ts';
import { type ImageSource, isSparseVmdk, openImage } from './image-source.ts';
import { findReferenceProblems, findTarProblems } from './ova-check.ts';
import { findManifestProblems, type OvaContents } from './ova-reader.ts';
import type { OvfDescription } from './ovf-reader.ts';
import { findDescriptorValue } from './vmdk-descriptor.ts';
import { readVmdkExtent } from './vmdk-extent.ts';

/** Everything that `kvmimg inspect --json` prints. */
export interface ImageDescription {
  readonly path: string;
  readonly format: Format;
  readonly fileSizeBytes: number;
  /** What the file takes on its file system, holes left out. */
  readonly allocatedBytes: number;
  readonly sha256?: string;
  readonly disk: DiskDescription;
  readonly ova?: OvaDescription;
  readonly build?: BuildDescription;
}

export interface DiskDescription {
  readonly format: 'qcow2' | 'raw' | 'vmdk';
  readonly virtualSizeBytes: number;
  readonly backingChain: readonly BackingFile[];
  readonly qcow2?: {
    readonly compat: string | undefined;
    /** Part of the stored clusters that is compressed, 0 to 1. */
    readonly compressedFraction: number;
    readonly check: string;
  };
  readonly vmdk?: {
    readonly subformat: string | undefined;
    readonly version: number;
    readonly adapterType: string | undefined;
    readonly hardwareVersion: string | undefined;
    readonly endsWithMarker: boolean;
  };
  readonly layout: DiskLayout;
}

export interface OvaDescription {
  readonly members: readonly { readonly name: string; readonly sizeBytes: number }[];
  /** `none` where there is no manifest. */
  readonly manifest: 'matches' | 'differs' | 'none';
  /** What importers would stumble over. */
  readonly problems: readonly string[];
  readonly machine: OvfDescription;
}

export interface BuildDescription {
  readonly name: string;
  readonly distro: string;
  readonly kvmimgVersion: string;
  readonly createdAt: string;
  readonly packageCount: number;
  readonly digest: 'matches' | 'differs';
}

export interface InspectOptions extends WorkOptions {
  /** Hash the file as well, which reads all of it. */
  readonly withDigest?: boolean;
}

/**
 * Describes an image: qcow2, raw, VMDK or OVA, also one that a running machine holds. Needs no root and mounts nothing.
 *
 * @throws KvmimgError `not-an-image` (saying what it is instead), `image-missing`, `ova-damaged`, `vmdk-damaged`.
 */
export async function inspectImage(path: string, options: InspectOptions = {}): Promise<ImageDescription> {
  const source = await openImage(path, { ...signalOf(options), whileInUse: true });
  const { size: fileSizeBytes, blocks } = await stat(path);
  const record = await findBuildRecord(path);
  const needsDigest = options.withDigest || record;
  const sha256 = needsDigest && (await readDigest({ path, sizeBytes: fileSizeBytes }, 'sha256', options));
  return {
    path,
    format: source.ova ? 'ova' : source.disk.format,
    fileSizeBytes,
    allocatedBytes: blocks * 512,
    ...(sha256 ? { sha256 } : {}),
    disk: await describeDisk(source, options),
    ...(source.ova ? { ova: await describeOva(source.ova, options) } : {}),
    ...(record && sha256 ? { build: describeBuild(record, basename(path), sha256) } : {}),
  };
}

function signalOf(options: WorkOptions): { readonly signal?: AbortSignal } {
  return options.signal ? { signal: options.signal } : {};
}

async function describeDisk({ disk, info }: ImageSource, options: WorkOptions): Promise<DiskDescription> {
  const reading = { ...signalOf(options), whileInUse: true };
  return {
    format: disk.format,
    virtualSizeBytes: info.virtualSizeBytes,
    backingChain: info.backingChain,
    ...(disk.format === 'qcow2' ? { qcow2: await describeQcow2({ disk, info }, reading) } : {}),
    ...(disk.format === 'vmdk' ? await describeVmdk({ disk, info }) : {}),
    layout: await readDiskLayout(disk, info.virtualSizeBytes, reading),
  };
}

type OpenDisk = Pick<ImageSource, 'disk' | 'info'>;

async function describeQcow2({ disk, info }: OpenDisk, reading: { readonly signal?: AbortSignal }) {
  const check = await checkDisk(disk, { ...reading, whileInUse: true });
  const compressedFraction = check.allocatedClusters > 0 ? check.compressedClusters / check.allocatedClusters : 0;
  return { compat: info.compat, compressedFraction, check: info.markedCorrupt ? 'corrupt' : check.state };
}

async function describeVmdk({ disk, info }: OpenDisk) {
  if (!isSparseVmdk(info)) return {};
  const { header, descriptor, endsWithMarker } = await withByteSource(disk, readVmdkExtent);
  const vmdk = {
    subformat: info.subformat,
    version: header.version,
    adapterType: findDescriptorValue(descriptor, 'ddb.adapterType'),
    hardwareVersion: findDescriptorValue(descriptor, 'ddb.virtualHWVersion'),
    endsWithMarker,
  };
  return { vmdk };
}

async function describeOva(ova: OvaContents, options: WorkOptions): Promise<OvaDescription> {
  const manifestProblems = await findManifestProblems(ova, options);
  return {
    members: ova.members.map(({ name, sizeBytes }) => ({ name, sizeBytes })),
    manifest: ova.manifest === undefined ? 'none' : manifestProblems.length > 0 ? 'differs' : 'matches',
    problems: [...findTarProblems(ova), ...findReferenceProblems(ova), ...manifestProblems],
    machine: ova.descriptor,
  };
}

function describeBuild(record: BuildRecord, fileName: string, sha256: string): BuildDescription {
  const { name, distro, kvmimgVersion, createdAt, packages, files } = record;
  const recorded = files.find((entry) => entry.file === fileName);
  const digest = recorded?.sha256 === sha256 ? 'matches' : 'differs';
  return { name, distro, kvmimgVersion, createdAt, packageCount: packages.length, digest };
}
