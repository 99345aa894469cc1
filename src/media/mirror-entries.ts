import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { sha256Of } from './digest.ts';
import { describeWriteFailure } from './disk-space.ts';

const entrySchema = z.object({
  url: z.string(),
  sha256: z.string(),
  sizeBytes: z.int().nonnegative(),
  etag: z.string().optional(),
  lastModified: z.string().optional(),
  /** An index of the mirror has said that this is the content. */
  verified: z.boolean().default(false),
});

/** What is known of a URL that was fetched before; its content is in the content store. */
export type MirrorEntry = z.output<typeof entrySchema>;

/** The cache's memory of URLs: `<cacheDir>/mirror/<SHA-256 of the URL>.json`. */
export interface MirrorEntries {
  readonly find: (url: string) => Promise<MirrorEntry | undefined>;
  readonly save: (entry: MirrorEntry) => Promise<void>;
  readonly remove: (url: string) => Promise<void>;
}

export function openMirrorEntries(cacheDir: string): MirrorEntries {
  const dir = join(cacheDir, 'mirror');
  const pathOf = (url: string): string => join(dir, `${sha256Of(url)}.json`);
  return {
    find: async (url) => {
      const text = await readFile(pathOf(url), 'utf8').catch(() => undefined);
      return text === undefined ? undefined : parseEntry(text);
    },
    save: async (entry) => {
      const path = pathOf(entry.url);
      const partialPath = `${path}.${process.pid}.partial`;
      try {
        await mkdir(dir, { recursive: true });
        await writeFile(partialPath, `${JSON.stringify(entry)}\n`);
        await rename(partialPath, path);
      } catch (error) {
        throw describeWriteFailure(path, error);
      }
    },
    remove: (url) => rm(pathOf(url), { force: true }),
  };
}

/** A file cut off by a power failure counts as not there. */
function parseEntry(text: string): MirrorEntry | undefined {
  try {
    return entrySchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
