import { randomUUID } from 'node:crypto';
import { mkdir, open, readFile, rename, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { systemErrorCode } from '../errors.ts';

const layerSchema = z.strictObject({
  layerVersion: z.literal(1),
  key: z.string(),
  /** Of this layer alone: a layer that is made again has the same key and another id. */
  id: z.string(),
  phase: z.enum(['install', 'seal']),
  /** Id of the layer that holds the backing file; on any other one this layer's disk would be garbage. */
  parentId: z.string().optional(),
  /** ISO 8601. */
  createdAt: z.string(),
  seconds: z.record(z.string(), z.number()),
  /** Facts for the manifest of what stands on this layer. */
  facts: z.record(z.string(), z.json()),
});

/** What `layer.json` says of a layer. */
export type LayerRecord = z.output<typeof layerSchema>;

export interface Layer {
  readonly folder: string;
  readonly diskPath: string;
  readonly record: LayerRecord;
}

export interface LayerStore {
  /**
   * The committed layer of a key; undefined where there is none, where it is not whole, or where it stands on another
   * parent than this one.
   */
  readonly find: (key: string, parentId?: string) => Promise<Layer | undefined>;
  /**
   * Makes a folder's `disk.qcow2` (and what else lies in it) the layer of a key, by one rename. The folder must lie on
   * the cache's file system. An overlay names its backing file by the absolute path in this store.
   */
  readonly commit: (folder: string, record: Omit<LayerRecord, 'layerVersion' | 'id' | 'createdAt'>) => Promise<Layer>;
  readonly lockPath: (key: string) => string;
}

/** The content-addressed store: `layers/<key>/{disk.qcow2,layer.json}` below the cache folder. */
export function openLayerStore(cacheDir: string): LayerStore {
  const folderOf = (key: string): string => join(cacheDir, 'layers', key);
  const find = async (key: string, parentId?: string): Promise<Layer | undefined> => {
    const folder = folderOf(key);
    const record = await readRecord(folder);
    if (record?.key !== key || record.parentId !== parentId) return undefined;
    await utimes(folder, new Date(), new Date());
    return { folder, diskPath: join(folder, 'disk.qcow2'), record };
  };
  return {
    find,
    commit: async (folder, record) => {
      const whole: LayerRecord = { layerVersion: 1, id: randomUUID(), createdAt: new Date().toISOString(), ...record };
      // Machines write with `cache=unsafe`: only now must the disk be safe.
      await flush(join(folder, 'disk.qcow2'));
      await writeFile(join(folder, 'layer.json'), `${JSON.stringify(whole, null, 2)}\n`);
      await mkdir(join(cacheDir, 'layers'), { recursive: true });
      // A folder without a readable layer.json is what a torn earlier commit left; it may be replaced.
      await rm(folderOf(record.key), { recursive: true, force: true });
      await rename(folder, folderOf(record.key));
      return { folder: folderOf(record.key), diskPath: join(folderOf(record.key), 'disk.qcow2'), record: whole };
    },
    lockPath: (key) => join(cacheDir, 'locks', `${key}.lock`),
  };
}

async function flush(path: string): Promise<void> {
  const file = await open(path, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

async function readRecord(folder: string): Promise<LayerRecord | undefined> {
  try {
    const parsed = layerSchema.safeParse(JSON.parse(await readFile(join(folder, 'layer.json'), 'utf8')));
    return parsed.success ? parsed.data : undefined;
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT' || error instanceof SyntaxError) return undefined;
    throw error;
  }
}
