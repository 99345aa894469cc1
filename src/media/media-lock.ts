import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { KvmimgError, messageOf, systemErrorCode } from '../errors.ts';
import { findKnownDigest, type KnownContent } from './digest.ts';
import { writeSmallFile } from './small-file.ts';

const entrySchema = z.strictObject({
  sha256: z.string().optional(),
  sha512: z.string().optional(),
  sizeBytes: z.int().positive().optional(),
  /** Where the digest was found: URL or path of the file of checksums, or of the file itself. */
  foundIn: z.string(),
  foundAt: z.iso.datetime(),
});
const lockSchema = z.strictObject({ lockVersion: z.literal(1), files: z.record(z.string(), entrySchema) });

/** What an earlier build has found out about a file. */
export interface LockedContent {
  readonly content: KnownContent;
  readonly foundIn: string;
}

/** What builds have found out about media whose digest no facts give: `<cacheDir>/media-locks/<name>.json`. */
export interface MediaLock {
  readonly path: string;
  /** @throws KvmimgError `media-lock` when the lock is damaged */
  readonly find: (fileName: string) => Promise<LockedContent | undefined>;
  readonly save: (fileName: string, found: LockedContent) => Promise<void>;
}

export function openMediaLock(cacheDir: string, name: string): MediaLock {
  const path = join(cacheDir, 'media-locks', `${name}.json`);
  return {
    path,
    find: async (fileName) => {
      const entry = new Map(Object.entries((await readLock(path)).files)).get(fileName);
      return entry && { content: contentOf(path, entry), foundIn: entry.foundIn };
    },
    save: async (fileName, { content, foundIn }) => {
      const { files } = await readLock(path);
      const entry = { ...content, foundIn, foundAt: new Date().toISOString() };
      const lock = { lockVersion: 1, files: { ...files, [fileName]: entry } };
      await writeSmallFile(path, `${JSON.stringify(lock, undefined, 2)}\n`);
    },
  };
}

async function readLock(path: string): Promise<z.output<typeof lockSchema>> {
  try {
    return lockSchema.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return { lockVersion: 1, files: {} };
    throw damaged(path, messageOf(error), error);
  }
}

function contentOf(path: string, { sha256, sha512, sizeBytes }: z.output<typeof entrySchema>): KnownContent {
  const digest = findKnownDigest({ sha256, sha512 });
  if (digest === undefined) throw damaged(path, 'an entry has no digest');
  return sizeBytes === undefined ? digest : { ...digest, sizeBytes };
}

function damaged(path: string, reason: string, cause?: unknown): KvmimgError {
  return new KvmimgError({
    code: 'media-lock',
    message: `${path}, which holds the digests of media that an earlier build has found, cannot be read: ${reason}`,
    hint: 'Delete the file; the next build finds the digests anew.',
    cause,
  });
}
