import { type DirectoryRecord, parseRecords } from './directory-record.ts';
import { badIso, blockBytes, type Extent, type ImageBytes } from './image-bytes.ts';
import type { Naming } from './naming.ts';
import { type RockRidgeFacts, readRockRidge } from './rock-ridge.ts';
import { makeContinuationBudget, readSystemUse } from './system-use.ts';

/** A file or folder in an ISO. */
export interface IsoEntry {
  /** From the root, without a leading slash; the root's is empty. */
  readonly path: string;
  readonly sizeBytes: number;
  /** `other`: a symbolic link, a device, or a file whose bytes do not lie there as they are. */
  readonly kind: 'file' | 'folder' | 'other';
  /** Where the content lies, in order: several for a file above 4 GiB, none for an empty one. */
  readonly extents: readonly Extent[];
}

const maxFolderBytes = 16 * 2 ** 20;

/** The records of a folder, its own first. @throws KvmimgError `bad-iso` */
async function readRecords(image: ImageBytes, folder: IsoEntry): Promise<readonly DirectoryRecord[]> {
  const [extent] = folder.extents;
  const called = `its folder /${folder.path}`;
  if (!extent || extent.sizeBytes === 0) throw badIso(image.path, `${called} has no content`);
  if (!image.holds(extent)) throw badIso(image.path, `${called} lies outside of the image`);
  if (extent.sizeBytes > maxFolderBytes) throw badIso(image.path, `${called} is too large to be true`);
  const records = parseRecords(await image.read(extent));
  const [own, parent] = records ?? [];
  if (!records || !isNamed(own, 0) || !isNamed(parent, 1)) throw badIso(image.path, `${called} is damaged`);
  if (own?.extent.offsetBytes !== extent.offsetBytes || own.extent.sizeBytes !== extent.sizeBytes) {
    throw badIso(image.path, `${called} says another place or size of itself than its parent does`);
  }
  return records;
}

/** A folder's own record and its parent's have the byte 0 or 1 for a name. */
function isNamed(record: DirectoryRecord | undefined, byte: number): boolean {
  return record !== undefined && record.identifier.length === 1 && record.identifier[0] === byte;
}

/** What a folder holds, in the order of its records. @throws KvmimgError `bad-iso` */
export async function readFolder(image: ImageBytes, folder: IsoEntry, naming: Naming): Promise<readonly IsoEntry[]> {
  const records = (await readRecords(image, folder)).slice(2).filter((record) => !record.isAssociated);
  const budget = makeContinuationBudget();
  const entries: IsoEntry[] = [];
  for (const parts of groupParts(records)) {
    const [first] = parts;
    if (!first) continue;
    if (parts.at(-1)?.isContinued) throw badIso(image.path, `a file in /${folder.path} has no last part`);
    const fields =
      naming.fieldsOffset === undefined
        ? []
        : await readSystemUse(image, first.systemUse.subarray(naming.fieldsOffset), budget);
    const facts = readRockRidge(fields, image);
    if (facts.isRelocated) continue;
    const path = joinPath(image, folder, facts.name ?? naming.decode(first.identifier, first.isFolder));
    entries.push(await makeEntry(image, path, { parts, facts }));
  }
  return entries;
}

/** The records of one file follow each other, have the same name, and each but the last says that it is continued. */
function groupParts(records: readonly DirectoryRecord[]): readonly (readonly DirectoryRecord[])[] {
  const groups: DirectoryRecord[][] = [];
  for (const record of records) {
    const group = groups.at(-1);
    const last = group?.at(-1);
    if (group && last?.isContinued && last.identifier.equals(record.identifier)) group.push(record);
    else groups.push([record]);
  }
  return groups;
}

/** Whoever joins the path to one of the host must not be led out of it. */
function joinPath(image: ImageBytes, folder: IsoEntry, name: string): string {
  if (name === '' || name === '.' || name === '..' || /[/\0]/.test(name)) {
    throw badIso(image.path, `its folder /${folder.path} holds ${JSON.stringify(name)}, which is no file name`);
  }
  return folder.path === '' ? name : `${folder.path}/${name}`;
}

async function makeEntry(
  image: ImageBytes,
  path: string,
  { parts, facts }: { readonly parts: readonly DirectoryRecord[]; readonly facts: RockRidgeFacts },
): Promise<IsoEntry> {
  if (facts.relocatedTo !== undefined) return readRelocated(image, path, facts.relocatedTo);
  const isFolder = parts.some((part) => part.isFolder);
  if (isFolder && parts.length > 1) throw badIso(image.path, `its folder /${path} has several parts`);
  const extents = parts.map((part) => part.extent).filter((extent) => extent.sizeBytes > 0);
  if (!extents.every(image.holds)) throw badIso(image.path, `/${path} in it lies outside of the image`);
  const sizeBytes = extents.reduce((sum, extent) => sum + extent.sizeBytes, 0);
  const kind = parts.some((part) => part.isInterleaved) || facts.kind === 'folder' ? 'other' : (facts.kind ?? 'file');
  return { path, sizeBytes, kind: isFolder ? 'folder' : kind, extents };
}

/** Only the folder itself, at its new place, says how large it is. */
async function readRelocated(image: ImageBytes, path: string, offsetBytes: number): Promise<IsoEntry> {
  const block = await image.read({ offsetBytes, sizeBytes: blockBytes });
  const sizeBytes = block.readUInt32LE(10);
  return { path, sizeBytes, kind: 'folder', extents: [{ offsetBytes, sizeBytes }] };
}
