import { randomBytes } from 'node:crypto';
import { chmod, mkdir, open, readdir, rename, rm, rmdir, stat, utimes, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { systemErrorCode } from '../errors.ts';
import { withFileLock } from '../host/file-lock.ts';
import {
  type DamagedLayer,
  diskName,
  type Layer,
  type LayerRecord,
  readDiskStamp,
  readFileSizes,
  readLayer,
  writeRecord,
} from './layer-record.ts';

export type { DamagedLayer, Layer, LayerRecord };

export interface LayerQuery {
  readonly key: string;
  /** This very making of it. */
  readonly id?: string;
  /** The layer that it must stand on. */
  readonly parentId?: string;
  /** Older ones will not do. */
  readonly since?: Date;
}

/** A layer that is going to be kept; the rest of its record is made by the store. */
export type NewLayer = Omit<LayerRecord, 'layerVersion' | 'createdAt' | 'disk' | 'files'>;

/** A layer in the store, with what `cache ls` and `prune` ask for. */
export interface StoredLayer extends Layer {
  /** What it takes on the disk. */
  readonly sizeBytes: number;
  /** When a build last used it, or a layer that stands on it. */
  readonly usedAt: Date;
  /** Ids of the layers that stand on it directly. */
  readonly children: readonly string[];
  /** A running kvmimg uses it, or a layer that stands on it. */
  readonly inUse: boolean;
  /** No build can use it any more: a newer one of the same key took its place, or what it stands on is gone. */
  readonly dead: boolean;
}

export interface StoredDamage extends DamagedLayer {
  readonly sizeBytes: number;
  /** A running kvmimg uses it, or a layer that stands on it: its own disk may be as good as ever. */
  readonly inUse: boolean;
}

export interface StoreContents {
  /** Parents before children. */
  readonly layers: readonly StoredLayer[];
  readonly damaged: readonly StoredDamage[];
}

/**
 * The content-addressed store below the cache folder: `layers/<key>/<id>/{disk.qcow2,layer.json}`. There is no index
 * that could be lost or disagree: every answer is read from the layers.
 */
export interface LayerStore {
  /** The newest layer that answers the query; changes nothing. */
  readonly find: (query: LayerQuery) => Promise<Layer | undefined>;
  /**
   * The same, and holds it: as long as the work folder `holder` is there and its process lives, the layer and what it
   * stands on are not removed.
   */
  readonly use: (query: LayerQuery, holder: string) => Promise<Layer | undefined>;
  /** Where the disk of a layer that is going to be kept will lie, as an overlay in the store or in a work folder names it. */
  readonly backingPath: (layer: Pick<LayerRecord, 'key' | 'id'>) => string;
  /**
   * Makes a folder with `disk.qcow2` (and what else lies in it) a layer by one rename, and holds it. The folder must
   * lie on the cache's file system.
   */
  readonly commit: (folder: string, layer: NewLayer, holder: string) => Promise<Layer>;
  /** Notes that a layer was of use, though nobody holds it. */
  readonly touch: (layer: Layer) => Promise<void>;
  readonly list: () => Promise<StoreContents>;
  /** Removes those of these layers (and damaged folders) that nobody uses; gives what is gone. */
  readonly remove: (choose: (contents: StoreContents) => readonly string[]) => Promise<readonly string[]>;
  /** Of the lock of who makes a layer. */
  readonly lockPath: (key: string) => string;
}

/** A layer's work is long; what the store itself does takes milliseconds. */
const storeLock = { limitMs: 60_000, intervalMs: 50 };

export function openLayerStore(cacheDir: string, signal: AbortSignal): LayerStore {
  const root = join(cacheDir, 'layers');
  const exclusively = <T>(work: () => Promise<T>): Promise<T> =>
    withFileLock(join(cacheDir, 'locks', 'store.lock'), { ...storeLock, signal }, work);
  const find = async (query: LayerQuery): Promise<Layer | undefined> => {
    const good = (await readLayersOf(join(root, query.key))).filter(
      ({ record }) =>
        record.key === query.key &&
        (query.id === undefined || record.id === query.id) &&
        record.parentId === query.parentId &&
        (query.since === undefined || new Date(record.createdAt) >= query.since),
    );
    return good.sort(byAge).at(-1);
  };
  const store: LayerStore = {
    find,
    use: (query, holder) =>
      exclusively(async () => {
        const found = await find(query);
        if (found === undefined) return undefined;
        await utimes(found.folder, new Date(), new Date());
        await pin(found.record.id, holder);
        return found;
      }),
    backingPath: ({ key, id }) => join('..', '..', '..', 'layers', key, id, diskName),
    commit: async (folder, layer, holder) => {
      const disk = await readDiskStamp(join(folder, diskName));
      if (disk) {
        // Machines write with `cache=unsafe`: only now must the disk be safe, and from now on it stays as it is.
        await flush(join(folder, diskName));
        await chmod(join(folder, diskName), 0o444);
      }
      const record: LayerRecord = {
        layerVersion: 2,
        createdAt: new Date().toISOString(),
        disk: disk ?? null,
        files: await readFileSizes(folder),
        ...layer,
      };
      await writeRecord(folder, record);
      const place = join(root, layer.key, layer.id);
      await exclusively(async () => {
        await pin(layer.id, holder);
        await mkdir(dirname(place), { recursive: true });
        await rename(folder, place);
      });
      await flush(dirname(place));
      await store.remove(({ layers, damaged }) => [
        ...layers.filter((stored) => stored.dead).map((stored) => stored.folder),
        ...damaged.filter((stored) => !stored.isForeign).map((stored) => stored.folder),
      ]);
      return { folder: place, diskPath: join(place, diskName), record };
    },
    touch: ({ folder }) => utimes(folder, new Date(), new Date()).catch(() => {}),
    list: () => readContents(cacheDir),
    remove: async (choose) => {
      const trash: string[] = [];
      const gone = await exclusively(async () => {
        const contents = await readContents(cacheDir);
        const chosen = withoutUsed(contents, choose(contents));
        if (chosen.length > 0) await mkdir(join(cacheDir, 'work'), { recursive: true });
        // A child goes before what it stands on, so that no moment shows a layer without its backing file.
        for (const folder of [...chosen].reverse()) {
          // A name that the next sweep removes, should this process be killed now.
          const trashed = join(cacheDir, 'work', `layer.gone-${randomBytes(8).toString('hex')}`);
          await rename(folder, trashed);
          trash.push(trashed);
          await rmdir(dirname(folder)).catch(ignoreNotEmpty);
        }
        return chosen;
      });
      for (const path of trash) await rm(path, { recursive: true, force: true });
      return gone;
    },
    lockPath: (key) => join(cacheDir, 'locks', `${key}.lock`),
  };
  return store;
}

/** What is wrong with the layers of a key that cannot be used: completes "will run, because the layer is damaged: …". */
export async function findDamageOf(cacheDir: string, key: string): Promise<string | undefined> {
  const folders = await readLayersRaw(join(cacheDir, 'layers', key));
  return folders.map((layer) => ('damage' in layer ? layer.damage : undefined)).find((damage) => damage !== undefined);
}

async function readContents(cacheDir: string): Promise<StoreContents> {
  const root = join(cacheDir, 'layers');
  const [keys, pinned] = await Promise.all([namesIn(root), readPins(cacheDir)]);
  const read = (await Promise.all(keys.map((key) => readLayersRaw(join(root, key))))).flat();
  const good = read.flatMap((layer) => ('record' in layer ? [layer] : [])).sort(byAge);
  const damaged = read.flatMap((layer) => ('damage' in layer ? [layer] : []));
  const measures = new Map(
    await Promise.all(good.map(async (layer) => [layer.record.id, await measure(layer.folder)] as const)),
  );
  const damagedSizes = await Promise.all(damaged.map((layer) => measure(layer.folder)));
  const byId = new Map(good.map((layer) => [layer.record.id, layer]));
  const childrenOf = (id: string): Layer[] => good.filter((layer) => layer.record.parentId === id);
  const isUsed = (id: string): boolean => pinned.has(id) || childrenOf(id).some((child) => isUsed(child.record.id));
  const usedMsOf = (id: string): number =>
    Math.max(measures.get(id)?.usedAtMs ?? 0, ...childrenOf(id).map((child) => usedMsOf(child.record.id)));
  const isDead = (layer: Layer): boolean => {
    const { key, id, parentId } = layer.record;
    const newest = good.filter((other) => other.record.key === key && other.record.parentId === parentId).at(-1);
    if (newest?.record.id !== id) return true;
    const parent = parentId === undefined ? undefined : byId.get(parentId);
    return parentId !== undefined && (parent === undefined || isDead(parent));
  };
  return {
    layers: good.map((layer) => ({
      ...layer,
      sizeBytes: measures.get(layer.record.id)?.sizeBytes ?? 0,
      usedAt: new Date(usedMsOf(layer.record.id)),
      children: childrenOf(layer.record.id).map((child) => child.record.id),
      inUse: isUsed(layer.record.id),
      dead: isDead(layer),
    })),
    damaged: damaged.map((layer, index) => ({
      ...layer,
      sizeBytes: damagedSizes[index]?.sizeBytes ?? 0,
      inUse: isUsed(basename(layer.folder)),
    })),
  };
}

/** Of the chosen folders those that nobody needs: not in use, and every layer above them is chosen too. */
function withoutUsed({ layers, damaged }: StoreContents, chosen: readonly string[]): string[] {
  const goes = new Set(chosen);
  const byId = new Map(layers.map((layer) => [layer.record.id, layer]));
  const stays = (layer: StoredLayer): boolean =>
    layer.inUse ||
    !goes.has(layer.folder) ||
    layer.children.some((id) => {
      const child = byId.get(id);
      return child !== undefined && stays(child);
    });
  return [
    ...damaged.filter((layer) => goes.has(layer.folder) && !layer.inUse).map((layer) => layer.folder),
    ...layers.filter((layer) => !stays(layer)).map((layer) => layer.folder),
  ];
}

async function pin(id: string, holder: string): Promise<void> {
  await mkdir(join(holder, 'pins'), { recursive: true });
  await writeFile(join(holder, 'pins', id), '');
}

/** Ids that running processes hold. A work folder whose process is dead is swept, and its pins with it. */
async function readPins(cacheDir: string): Promise<ReadonlySet<string>> {
  const work = join(cacheDir, 'work');
  const pins = (await namesIn(work)).map((name) => namesIn(join(work, name, 'pins')));
  return new Set((await Promise.all(pins)).flat());
}

async function readLayersOf(folder: string): Promise<Layer[]> {
  return (await readLayersRaw(folder)).flatMap((layer) => ('record' in layer ? [layer] : []));
}

async function readLayersRaw(folder: string): Promise<(Layer | DamagedLayer)[]> {
  const layers = await Promise.all((await namesIn(folder)).map((id) => readLayer(join(folder, id))));
  return layers.filter((layer) => layer !== undefined);
}

async function measure(folder: string): Promise<{ readonly sizeBytes: number; readonly usedAtMs: number }> {
  const paths = [join(folder, diskName), folder];
  const [disk, self] = await Promise.all(paths.map((path) => stat(path).catch(() => undefined)));
  return { sizeBytes: (disk?.blocks ?? 0) * 512, usedAtMs: self?.mtimeMs ?? 0 };
}

function byAge(one: Layer, other: Layer): number {
  return one.record.createdAt < other.record.createdAt ? -1 : 1;
}

async function namesIn(folder: string): Promise<string[]> {
  return readdir(folder).catch((error) => {
    if (['ENOENT', 'ENOTDIR'].includes(systemErrorCode(error) ?? '')) return [];
    throw error;
  });
}

function ignoreNotEmpty(error: unknown): void {
  if (!['ENOTEMPTY', 'EEXIST', 'ENOENT'].includes(systemErrorCode(error) ?? '')) throw error;
}

async function flush(path: string): Promise<void> {
  const file = await open(path, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
