import { type IsoEntry, readFolder } from './folder.ts';
import { badIso, type Extent, type ImageBytes } from './image-bytes.ts';
import type { Naming } from './naming.ts';

/** The folders of an ISO, read as they are asked for and then kept. */
export interface IsoTree {
  /** @throws KvmimgError `bad-iso` */
  readonly find: (path: string) => Promise<IsoEntry | undefined>;
  /** What a folder holds. @throws KvmimgError `bad-iso` */
  readonly readFolder: (folder: IsoEntry) => Promise<readonly IsoEntry[]>;
}

type Folder = ReadonlyMap<string, IsoEntry>;

/** Both far above what any distribution's ISO has; they bound the memory and time that a lying one costs. */
const maxDepth = 256;
const maxTotalBytes = 32 * 2 ** 20;

export function makeTree(image: ImageBytes, rootExtent: Extent, naming: Naming): IsoTree {
  const root: IsoEntry = { path: '', sizeBytes: rootExtent.sizeBytes, kind: 'folder', extents: [rootExtent] };
  const read = cacheFolders(image, naming);
  return {
    readFolder: async (folder) => [...(await read(folder)).values()],
    find: async (path) => {
      let entry: IsoEntry | undefined = root;
      for (const name of path.split('/').filter((part) => part !== '' && part !== '.')) {
        entry = entry?.kind === 'folder' ? pick(await read(entry), name, naming) : undefined;
        if (!entry) return undefined;
      }
      return entry;
    },
  };
}

function pick(folder: Folder, name: string, naming: Naming): IsoEntry | undefined {
  const exact = folder.get(name);
  if (exact || naming.kind !== 'plain') return exact;
  const wanted = name.toLowerCase();
  return [...folder].find(([candidate]) => candidate.toLowerCase() === wanted)?.[1];
}

/** Reads each folder once. A folder that is met again below another name makes a cycle, or a tree without an end. */
function cacheFolders(image: ImageBytes, naming: Naming): (folder: IsoEntry) => Promise<Folder> {
  const folders = new Map<string, Promise<Folder>>();
  const pathsByOffset = new Map<number, string>();
  let totalBytes = 0;
  const read = async (folder: IsoEntry): Promise<Folder> => {
    const offsetBytes = folder.extents[0]?.offsetBytes ?? 0;
    const other = pathsByOffset.get(offsetBytes);
    if (other !== undefined) throw badIso(image.path, `its folders /${other} and /${folder.path} are one and the same`);
    if (folder.path.split('/').length > maxDepth) throw badIso(image.path, 'its folders are nested too deep');
    pathsByOffset.set(offsetBytes, folder.path);
    totalBytes += folder.sizeBytes;
    if (totalBytes > maxTotalBytes) throw badIso(image.path, 'its folders are too large to be true');
    return firstByName(folder, await readFolder(image, folder, naming));
  };
  return (folder) => {
    const known = folders.get(folder.path) ?? read(folder);
    folders.set(folder.path, known);
    return known;
  };
}

function firstByName(folder: IsoEntry, children: readonly IsoEntry[]): Folder {
  const nameStart = folder.path === '' ? 0 : folder.path.length + 1;
  const byName = new Map<string, IsoEntry>();
  for (const child of children) {
    const name = child.path.slice(nameStart);
    if (!byName.has(name)) byName.set(name, child);
  }
  return byName;
}
