import type { DiskImage } from '../disk/disk-image.ts';
import { KvmimgError } from '../errors.ts';
import { withByteSource } from './byte-source.ts';
import { part, type WorkOptions } from './export-format.ts';
import { readDigest } from './file-digest.ts';
import { type ManifestEntry, parseManifest } from './ova-manifest.ts';
import { type OvfDescription, parseOvf } from './ovf-reader.ts';
import { readTarMembers, type TarMember } from './tar-members.ts';

/** An OVA, taken apart as far as can be without unpacking it. */
export interface OvaContents {
  readonly path: string;
  readonly members: readonly TarMember[];
  readonly descriptor: OvfDescription;
  readonly descriptorName: string;
  /** undefined where there is no manifest, which the standard allows. */
  readonly manifest: readonly ManifestEntry[] | undefined;
  /** What is wrong with the manifest's lines. */
  readonly manifestProblems: readonly string[];
}

const maxTextBytes = 4 * 2 ** 20;

/** @throws KvmimgError `ova-damaged`, `ovf-damaged`. */
export async function readOva(path: string, options: WorkOptions = {}): Promise<OvaContents> {
  const members = await readTarMembers(path, options);
  const descriptor = members.find((member) => member.name.toLowerCase().endsWith('.ovf'));
  if (!descriptor) throw damaged(path, 'it has no .ovf member');
  const manifest = members.find((member) => member.name.toLowerCase().endsWith('.mf'));
  const { entries, problems } = parseManifest(manifest ? await readText(path, manifest) : '');
  return {
    path,
    members,
    descriptor: await parseOvf(await readText(path, descriptor)),
    descriptorName: descriptor.name,
    manifest: manifest ? entries : undefined,
    manifestProblems: problems,
  };
}

async function readText(path: string, member: TarMember): Promise<string> {
  if (member.sizeBytes > maxTextBytes) throw damaged(path, `its member ${member.name} is too large for a text`);
  const bytes = await withByteSource({ path, within: member }, (source) => source.read(0, member.sizeBytes));
  if (!bytes) throw damaged(path, `its member ${member.name} cannot be read`);
  return bytes.toString('utf8');
}

/** Holds the digests of the manifest against the members; gives what is wrong, empty when all is well. */
export async function findManifestProblems(ova: OvaContents, options: WorkOptions = {}): Promise<string[]> {
  const problems = [...ova.manifestProblems];
  const entries = ova.manifest ?? [];
  for (const [index, entry] of entries.entries()) {
    const member = ova.members.find((candidate) => candidate.name === entry.fileName);
    const share = part(options, index / entries.length, (index + 1) / entries.length);
    if (!member) problems.push(`the manifest names ${entry.fileName}, which the OVA does not hold`);
    else problems.push(...(await findDigestProblems(ova.path, member, entry, share)));
  }
  return problems;
}

async function findDigestProblems(
  path: string,
  member: TarMember,
  entry: ManifestEntry,
  options: WorkOptions,
): Promise<string[]> {
  const found = await readDigest({ path, within: member, sizeBytes: member.sizeBytes }, entry.algorithm, options);
  if (found === entry.digest) return [];
  return [`the ${entry.algorithm} of ${member.name} is ${found}, the manifest says ${entry.digest}`];
}

/**
 * The one disk of an OVA, read where it lies in the file.
 *
 * @throws KvmimgError `ova-disks` when it has none or several.
 */
export function diskOfOva(ova: OvaContents): DiskImage {
  const { disks, files } = ova.descriptor;
  const hrefs = disks.flatMap((disk) => files.filter((file) => file.id === disk.fileRef).map((file) => file.href));
  const members = ova.members.filter((member) => hrefs.includes(member.name));
  const [member] = members;
  if (!member || members.length > 1) {
    throw new KvmimgError({
      code: 'ova-disks',
      message: `${ova.path} holds ${members.length} disks; kvmimg reads an OVA with exactly one.`,
      hint: 'Unpack it with tar and give one of its disks.',
    });
  }
  return { path: ova.path, format: 'vmdk', within: { offsetBytes: member.offsetBytes, sizeBytes: member.sizeBytes } };
}

function damaged(path: string, why: string): KvmimgError {
  const hint = 'Fetch or make it again.';
  return new KvmimgError({ code: 'ova-damaged', message: `${path} is not a usable OVA: ${why}.`, hint });
}
