import { badIso, blockBytes, type ImageBytes } from './image-bytes.ts';
import type { SystemUseField } from './system-use.ts';

/** What Rock Ridge says about one directory record. */
export interface RockRidgeFacts {
  /** undefined where it keeps its plain name. */
  readonly name: string | undefined;
  /** What the POSIX mode says it is; undefined where there is none. */
  readonly kind: 'file' | 'folder' | 'other' | undefined;
  /** Where the folder lies that this record stands for: a deep one that was moved up. */
  readonly relocatedTo: number | undefined;
  /** Such a folder itself, at the place that it was moved to. */
  readonly isRelocated: boolean;
}

const maxNameBytes = 1024;
const nameFlag = { continued: 0x01, self: 0x02, parent: 0x04 } as const;
const fileType = { mask: 0o170000, file: 0o100000, folder: 0o040000 } as const;

/** How the ER field calls Rock Ridge, in its versions. */
const extensionIds: readonly string[] = ['RRIP_1991A', 'IEEE_P1282', 'IEEE_1282'];

/** Where the system use fields begin. */
export interface FieldsPlace {
  /** In the root folder's own record. */
  readonly inRootBytes: number;
  /** In every other record. */
  readonly elsewhereBytes: number;
}

/**
 * undefined where the tree has no system use fields.
 *
 * @param systemUse of the root folder's own record. CD-ROM XA puts 14 bytes of its own before them.
 */
export function findFieldsPlace(systemUse: Buffer): FieldsPlace | undefined {
  const inRootBytes = [0, 14].find((offset) => systemUse.toString('latin1', offset, offset + 2) === 'SP');
  if (inRootBytes === undefined || systemUse.length < inRootBytes + 7) return undefined;
  if (systemUse.readUInt16BE(inRootBytes + 4) !== 0xbeef) return undefined;
  return { inRootBytes, elsewhereBytes: systemUse.readUInt8(inRootBytes + 6) };
}

/** Whether the fields of the root folder's own record say that the tree has Rock Ridge names, beyond SUSP. */
export function isRockRidge(rootFields: readonly SystemUseField[]): boolean {
  return rootFields.some(
    ({ signature, data }) =>
      signature === 'PX' || signature === 'RR' || (signature === 'ER' && extensionIds.includes(extensionId(data))),
  );
}

function extensionId(data: Buffer): string {
  return data.toString('latin1', 4, 4 + (data[0] ?? 0));
}

/** @throws KvmimgError `bad-iso` for fields that are too short and for names that are too long. */
export function readRockRidge(fields: readonly SystemUseField[], image: ImageBytes): RockRidgeFacts {
  const mode = findNumber(fields, 'PX', image);
  const child = findNumber(fields, 'CL', image);
  const isCompressed = fields.some(({ signature }) => signature === 'ZF');
  return {
    name: joinName(fields, image),
    kind: isCompressed ? 'other' : kindOf(mode),
    relocatedTo: child === undefined ? undefined : child * blockBytes,
    isRelocated: fields.some(({ signature }) => signature === 'RE'),
  };
}

function kindOf(mode: number | undefined): RockRidgeFacts['kind'] {
  if (mode === undefined) return undefined;
  const type = mode & fileType.mask;
  if (type === fileType.file) return 'file';
  return type === fileType.folder ? 'folder' : 'other';
}

/** The first number of a field: the mode of PX, the block of CL. */
function findNumber(fields: readonly SystemUseField[], signature: string, image: ImageBytes): number | undefined {
  const field = fields.find((candidate) => candidate.signature === signature);
  if (field && field.data.length < 8) throw badIso(image.path, 'its Rock Ridge fields are damaged');
  return field?.data.readUInt32LE(0);
}

/** A long name lies in several NM fields; each but the last says that it is continued. */
function joinName(fields: readonly SystemUseField[], image: ImageBytes): string | undefined {
  const pieces: Buffer[] = [];
  for (const { signature, data } of fields) {
    if (signature !== 'NM') continue;
    const flags = data[0] ?? 0;
    if ((flags & (nameFlag.self | nameFlag.parent)) !== 0) return undefined;
    pieces.push(data.subarray(1));
    if ((flags & nameFlag.continued) === 0) break;
  }
  const bytes = Buffer.concat(pieces);
  if (bytes.length > maxNameBytes) throw badIso(image.path, 'one of its names is too long');
  return pieces.length === 0 ? undefined : bytes.toString('utf8');
}
