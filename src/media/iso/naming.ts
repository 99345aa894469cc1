import { parseRecord } from './directory-record.ts';
import { badIso, blockBytes, type Extent, type ImageBytes } from './image-bytes.ts';
import { findFieldsPlace, isRockRidge } from './rock-ridge.ts';
import { makeContinuationBudget, readSystemUse } from './system-use.ts';
import type { Volume } from './volume.ts';

/** How the names of a tree are read. */
export interface Naming {
  readonly kind: 'rock-ridge' | 'joliet' | 'plain';
  /** Where Rock Ridge fields begin in a record's system use area; undefined where none are read. */
  readonly fieldsOffset: number | undefined;
  /** The name by the record's identifier alone. */
  readonly decode: (identifier: Buffer, isFolder: boolean) => string;
}

const plainNaming: Naming = { kind: 'plain', fieldsOffset: undefined, decode: decodePlain };
const jolietNaming: Naming = { kind: 'joliet', fieldsOffset: undefined, decode: decodeJoliet };

/**
 * Chooses the tree with the best names: Rock Ridge, else Joliet, else the plain one.
 *
 * @throws KvmimgError `bad-iso`
 */
export async function chooseTree(
  image: ImageBytes,
  volume: Volume,
): Promise<{ readonly root: Extent; readonly naming: Naming }> {
  const fieldsOffset = await findRockRidge(image, volume.plainRoot);
  if (fieldsOffset !== undefined) {
    return { root: volume.plainRoot, naming: { kind: 'rock-ridge', fieldsOffset, decode: decodePlain } };
  }
  if (volume.jolietRoot) return { root: volume.jolietRoot, naming: jolietNaming };
  return { root: volume.plainRoot, naming: plainNaming };
}

/** The root folder's own record, which comes first in it, says whether there is Rock Ridge. */
async function findRockRidge(image: ImageBytes, root: Extent): Promise<number | undefined> {
  const own = parseRecord(await image.read({ offsetBytes: root.offsetBytes, sizeBytes: blockBytes }));
  if (!own) throw badIso(image.path, 'its root folder is damaged');
  const place = findFieldsPlace(own.systemUse);
  if (!place) return undefined;
  const fields = await readSystemUse(image, own.systemUse.subarray(place.inRootBytes), makeContinuationBudget());
  return isRockRidge(fields) ? place.elsewhereBytes : undefined;
}

/** Without the version (`;1`), and without the dot of a file that has no extension. */
function decodePlain(identifier: Buffer, isFolder: boolean): string {
  const name = identifier.toString('latin1');
  return isFolder ? name : name.replace(/;\d+$/, '').replace(/\.$/, '');
}

/** UCS-2, or UTF-16 as some programs write it, the high byte first. */
function decodeJoliet(identifier: Buffer, isFolder: boolean): string {
  const even = Buffer.from(identifier.subarray(0, identifier.length - (identifier.length % 2)));
  const name = even.swap16().toString('utf16le');
  return isFolder ? name : name.replace(/;\d+$/, '');
}
