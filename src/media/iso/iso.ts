import { extractExtents } from './extract.ts';
import type { IsoEntry } from './folder.ts';
import { badIso, type ImageBytes, openImageBytes } from './image-bytes.ts';
import { chooseTree } from './naming.ts';
import { type IsoTree, makeTree } from './tree.ts';
import { readVolume } from './volume.ts';

export type { IsoEntry } from './folder.ts';

/** An ISO 9660 image that is open for reading. Every method throws KvmimgError `bad-iso` for what is damaged. */
export interface Iso {
  readonly volumeId: string;
  /** By its path from the root; in an ISO that has only plain names (`CASPER/VMLINUZ`) in any case. */
  readonly find: (path: string) => Promise<IsoEntry | undefined>;
  /** What a folder, which must exist, holds, in the ISO's order. */
  readonly list: (folder: string) => Promise<readonly IsoEntry[]>;
  /** Writes a file of the ISO, whole or not at all. @throws KvmimgError `no-space`; the signal's reason */
  readonly extract: (entry: IsoEntry, toPath: string, options: { readonly signal: AbortSignal }) => Promise<void>;
  /** The content of a file, which must not be larger than the limit. */
  readonly read: (entry: IsoEntry, limitBytes: number) => Promise<Buffer>;
  readonly close: () => Promise<void>;
}

/**
 * Opens an ISO without mounting it, and without being root. Names are Rock Ridge's, else Joliet's, else the plain ones
 * of ISO 9660 without their versions.
 *
 * @throws KvmimgError `bad-iso` when it is missing, no ISO 9660 image, cut off or damaged
 */
export async function openIso(path: string): Promise<Iso> {
  const image = await openImageBytes(path);
  try {
    const volume = await readVolume(image);
    const { root, naming } = await chooseTree(image, volume);
    const tree = makeTree(image, root, naming);
    return makeIso(image, volume.volumeId, tree);
  } catch (error) {
    await image.close();
    throw error;
  }
}

function makeIso(image: ImageBytes, volumeId: string, tree: IsoTree): Iso {
  return {
    volumeId,
    find: tree.find,
    list: async (path) => {
      const folder = await tree.find(path);
      if (folder?.kind !== 'folder') throw badIso(image.path, `it has no folder ${path}`);
      return tree.readFolder(folder);
    },
    extract: async (entry, toPath, { signal }) => {
      refuseOther(image, entry);
      await extractExtents(image, entry.extents, { toPath, signal });
    },
    read: async (entry, limitBytes) => {
      refuseOther(image, entry);
      if (entry.sizeBytes > limitBytes) {
        throw badIso(
          image.path,
          `/${entry.path} in it has ${entry.sizeBytes} bytes, more than the ${limitBytes} expected`,
        );
      }
      return Buffer.concat(await Promise.all(entry.extents.map(image.read)));
    },
    close: image.close,
  };
}

function refuseOther(image: ImageBytes, { path, kind }: IsoEntry): void {
  if (kind !== 'file') throw badIso(image.path, `/${path} in it is no plain file`);
}
