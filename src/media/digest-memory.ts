import { open, readFile, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import type { DigestAlgorithm, ReadContent, ReadOptions } from './digest.ts';
import { readContent } from './digest.ts';
import { writeSmallFile } from './small-file.ts';

const entrySchema = z.object({
  path: z.string(),
  /** Length, inode, and times of the last change, so that another content has another state. */
  state: z.string(),
  sizeBytes: z.int().nonnegative(),
  sha256: z.string().optional(),
  sha512: z.string().optional(),
});
const memorySchema = z.object({ version: z.literal(1), files: z.array(entrySchema) });
type Entry = z.output<typeof entrySchema>;

/** Remembers what large files hold that have not changed since they were read: `<cacheDir>/media-digests.json`. */
export interface DigestMemory {
  /** The digest of a file that is as it was when it was read; writes nothing. */
  readonly find: (path: string, algorithm: DigestAlgorithm) => Promise<string | undefined>;
  /** What a file holds, read through only where that is not known. @throws the signal's reason */
  readonly read: (path: string, algorithm: DigestAlgorithm, options?: ReadOptions) => Promise<ReadContent>;
  /** Takes note of what a file is known to hold. */
  readonly remember: (path: string, content: ReadContent) => Promise<void>;
}

const keptEntries = 100;

export function openDigestMemory(cacheDir: string): DigestMemory {
  const memoryPath = join(cacheDir, 'media-digests.json');
  const remember = async (path: string, content: ReadContent, state: string): Promise<void> => {
    const entries = await readEntries(memoryPath);
    const same = entries.find((entry) => entry.path === path && entry.state === state);
    const { algorithm, hex, sizeBytes } = content;
    const entry: Entry = { ...same, path, state, sizeBytes, [algorithm]: hex };
    const files = [entry, ...entries.filter((other) => other.path !== path)].slice(0, keptEntries);
    // Two processes may overwrite each other's entry; then a file is read once more.
    await writeSmallFile(memoryPath, `${JSON.stringify({ version: 1, files }, undefined, 1)}\n`);
  };
  const findEntry = async (path: string, state: string): Promise<Entry | undefined> =>
    (await readEntries(memoryPath)).find((entry) => entry.path === path && entry.state === state);
  return {
    find: async (givenPath, algorithm) => {
      const path = resolve(givenPath);
      return (await findEntry(path, await readState(path)))?.[algorithm];
    },
    read: async (givenPath, algorithm, options) => {
      const path = resolve(givenPath);
      const state = await readState(path);
      const known = await findEntry(path, state);
      const hex = known?.[algorithm];
      if (known !== undefined && hex !== undefined) return { algorithm, hex, sizeBytes: known.sizeBytes };
      const content = await readContent(path, algorithm, options);
      await syncFile(path);
      // Not remembered where it was written to meanwhile.
      if ((await readState(path)) === state) await remember(path, content, state);
      return content;
    },
    remember: async (givenPath, content) => {
      const path = resolve(givenPath);
      await syncFile(path);
      await remember(path, content, await readState(path));
    },
  };
}

async function readState(path: string): Promise<string> {
  const { size, ino, mtimeNs, ctimeNs } = await stat(path, { bigint: true });
  return [size, ino, mtimeNs, ctimeNs].join(' ');
}

/**
 * A power failure must not leave a file that looks as it did when it was read, and holds something else. Read-only file
 * systems and others that cannot do it keep what they have.
 */
async function syncFile(path: string): Promise<void> {
  const file = await open(path, 'r');
  await file.sync().catch(() => {});
  await file.close();
}

/** A damaged memory is none: files are read once more. */
async function readEntries(memoryPath: string): Promise<readonly Entry[]> {
  try {
    return memorySchema.parse(JSON.parse(await readFile(memoryPath, 'utf8'))).files;
  } catch {
    return [];
  }
}
