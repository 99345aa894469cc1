import { readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { formats } from '../recipe/schema.ts';

/** A file of an earlier build, as its manifest says. */
export const deliveredEntrySchema = z.object({
  format: z.enum(formats),
  file: z.string(),
  sizeBytes: z.number(),
  sha256: z.string(),
  /** ISO 8601: of the file when it was written. */
  modifiedAt: z.string(),
  /** ISO 8601. */
  exportedAt: z.string(),
  /** The key of the export, and the id of the sealed layer that it was cut from. */
  layerKey: z.string(),
  sealId: z.string(),
});
export type DeliveredEntry = z.output<typeof deliveredEntrySchema>;

/** A file that is there. */
export interface DeliveredFile extends DeliveredEntry {
  readonly path: string;
  /** It has the size and the time that the manifest tells. */
  readonly unchanged: boolean;
}

const manifestSchema = z.object({ files: z.array(deliveredEntrySchema) });

/**
 * The files of a manifest that are there. The manifest is what an export leaves beside its files, so that the same
 * build need not write them again. Undefined for a manifest that is missing, damaged or of another kvmimg.
 */
export async function readDelivered(manifestPath: string): Promise<DeliveredFile[] | undefined> {
  const text = await readFile(manifestPath, 'utf8').catch(() => undefined);
  const manifest = manifestSchema.safeParse(text === undefined ? undefined : parseJson(text));
  if (manifest.data === undefined) return undefined;
  const found = manifest.data.files.map((entry) => findFile(entry, dirname(manifestPath)));
  return (await Promise.all(found)).filter((file) => file !== undefined);
}

async function findFile(entry: DeliveredEntry, folder: string): Promise<DeliveredFile | undefined> {
  const path = join(folder, entry.file);
  const stats = await stat(path).catch(() => undefined);
  if (stats === undefined) return undefined;
  const unchanged = stats.size === entry.sizeBytes && stats.mtime.toISOString() === entry.modifiedAt;
  return { ...entry, path, unchanged };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
