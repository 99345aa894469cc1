import { lstat, open, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { systemErrorCode } from '../errors.ts';

export const diskName = 'disk.qcow2';
const recordName = 'layer.json';

/** A newer kvmimg may say more. */
const layerSchema = z.object({
  layerVersion: z.literal(2),
  /** SHA-256 of everything that went into the layer. */
  key: z.string(),
  /** Of this making alone: a layer that is made again has the same key and another id. */
  id: z.string(),
  phase: z.enum(['install', 'provision', 'seal', 'verify']),
  title: z.string(),
  /** The recipe's name and the distro of whoever made it. */
  recipe: z.string(),
  distro: z.string(),
  /** Id of the layer that holds the backing file; on any other one this layer's disk would be garbage. */
  parentId: z.string().optional(),
  /** ISO 8601. */
  createdAt: z.string(),
  seconds: z.number(),
  /** Names and short texts of what went into the key, to tell why a layer is not the one that is wanted. */
  inputs: z.record(z.string(), z.string()),
  /** What the disk was when it was kept; null for a phase without one. */
  disk: z.strictObject({ sizeBytes: z.number(), modifiedMs: z.number() }).nullable(),
  /** Bytes of the other files of the folder, such as the keys that let a build in. */
  files: z.record(z.string(), z.number()).optional(),
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

/** A folder of the store that is no layer that can be used, and why. */
export interface DamagedLayer {
  readonly folder: string;
  readonly damage: string;
  /** Another version of kvmimg has made it, and may use it still. */
  readonly isForeign: boolean;
}

/** Reads a layer's folder and compares its disk with its record; undefined where there is no such folder. */
export async function readLayer(folder: string): Promise<Layer | DamagedLayer | undefined> {
  const text = await readFile(join(folder, recordName), 'utf8').catch(nothingThere);
  const diskPath = join(folder, diskName);
  const disk = await readDiskStamp(diskPath);
  if (text === undefined) {
    const exists = await lstat(folder).catch(nothingThere);
    return exists ? { folder, damage: `it has no ${recordName}`, isForeign: false } : undefined;
  }
  const record = parseRecord(text);
  if (record === undefined) {
    const isForeign = /^\s*\{\s*"layerVersion": (?!2\b)\d+,/.test(text);
    return { folder, damage: `its ${recordName} is ${isForeign ? 'of another kvmimg' : 'torn'}`, isForeign };
  }
  const damage = findDamage(record.disk, disk) ?? (await findMissingFile(folder, record));
  return damage === undefined ? { folder, diskPath, record } : { folder, damage, isForeign: false };
}

/** Size and time of a disk; undefined where there is none. */
export async function readDiskStamp(path: string): Promise<NonNullable<LayerRecord['disk']> | undefined> {
  const stats = await lstat(path).catch(nothingThere);
  return stats && { sizeBytes: stats.size, modifiedMs: Math.floor(stats.mtimeMs) };
}

/** Writes the record so that it outlives a power failure. */
export async function writeRecord(folder: string, record: LayerRecord): Promise<void> {
  const file = await open(join(folder, recordName), 'w');
  try {
    await file.writeFile(`${JSON.stringify(record, null, 2)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
}

function parseRecord(text: string): LayerRecord | undefined {
  try {
    return layerSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

function findDamage(recorded: LayerRecord['disk'], found: LayerRecord['disk'] | undefined): string | undefined {
  if (recorded === null) return undefined;
  if (!found) return `its ${diskName} is gone`;
  if (found.sizeBytes !== recorded.sizeBytes) {
    return `its ${diskName} has ${found.sizeBytes} bytes, not the ${recorded.sizeBytes} that were kept`;
  }
  return found.modifiedMs === recorded.modifiedMs ? undefined : `its ${diskName} has been written to`;
}

async function findMissingFile(folder: string, { files = {} }: LayerRecord): Promise<string | undefined> {
  const found = await readFileSizes(folder);
  const name = Object.keys(files).find((file) => found[file] !== files[file]);
  return name === undefined ? undefined : `its ${name} is gone, or is not what was kept`;
}

/** Bytes of the files of a layer's folder, but for its record and its disk. */
export async function readFileSizes(folder: string): Promise<Record<string, number>> {
  const names = (await readdir(folder).catch(nothingThere)) ?? [];
  const others = names.filter((name) => name !== recordName && name !== diskName).sort();
  const sizes = await Promise.all(
    others.map(async (name) => (await lstat(join(folder, name)).catch(nothingThere))?.size),
  );
  return Object.fromEntries(others.map((name, index) => [name, sizes[index] ?? 0]));
}

function nothingThere(error: unknown): undefined {
  if (['ENOENT', 'ENOTDIR'].includes(systemErrorCode(error) ?? '')) return undefined;
  throw error;
}
