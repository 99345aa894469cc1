import { randomBytes } from 'node:crypto';
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isOwnerTagDead, makeOwnerTag } from '../host/owner-tag.ts';
import {
  type DigestAlgorithm,
  isKnownContent,
  type KnownContent,
  type KnownDigest,
  nameDigest,
  type ReadContent,
  readContent,
} from './digest.ts';

/** Says what a file holds. */
export type ContentReader = (path: string, algorithm: DigestAlgorithm) => Promise<ReadContent>;

/**
 * Files by what they hold: `<cacheDir>/media/<digest>`, with downloads in progress in `media/partial/`. The digest is a
 * SHA-256, or the SHA-512 of what its distribution knows by that alone. Several processes may use one store at the same
 * time.
 */
export interface ContentStore {
  readonly dir: string;
  /**
   * The path of the file with this content. What does not match its name any more is removed. It is read once a process,
   * by `read` where somebody remembers what large files hold.
   */
  readonly find: (content: KnownContent, read?: ContentReader) => Promise<string | undefined>;
  /** A path for a download, with what an earlier, ended process has left of it. `key` names what is downloaded. */
  readonly claimPartial: (key: string) => Promise<string>;
  /** Moves a complete file into the store under its own digest. */
  readonly keep: (partialPath: string, digest: KnownDigest) => Promise<string>;
}

export function openContentStore(cacheDir: string): ContentStore {
  const dir = join(cacheDir, 'media');
  const verified = new Set<string>();
  return {
    dir,
    find: async (content, read = readContent) => {
      const { algorithm, hex } = nameDigest(content);
      const path = join(dir, hex);
      const found = await stat(path).catch(() => undefined);
      if (found === undefined) return undefined;
      if (verified.has(hex) && found.size === (content.sizeBytes ?? found.size)) return path;
      // Nothing is fsynced here: a file that lost its end in a power failure is found out by its digest.
      if (!isKnownContent(await read(path, algorithm), content)) {
        await rm(path, { force: true });
        return undefined;
      }
      verified.add(hex);
      return path;
    },
    claimPartial: async (key) => {
      const partialDir = join(dir, 'partial');
      await mkdir(partialDir, { recursive: true });
      const path = join(partialDir, `${key}.${await makeOwnerTag()}.${randomBytes(4).toString('hex')}`);
      await adoptOrphan(partialDir, key, path);
      return path;
    },
    keep: async (partialPath, digest) => {
      const { hex } = nameDigest(digest);
      const path = join(dir, hex);
      await rename(partialPath, path);
      verified.add(hex);
      return path;
    },
  };
}

/** Takes over a partial file whose process has ended; rename lets exactly one process win. */
async function adoptOrphan(partialDir: string, key: string, path: string): Promise<void> {
  for (const name of await readdir(partialDir)) {
    // The start time in the tag has a dot too.
    const [, nameKey, tag] = /^([^.]*)\.(.*)\.[0-9a-f]+$/.exec(name) ?? [];
    if (nameKey !== key || tag === undefined || !(await isOwnerTagDead(tag))) continue;
    const adopted = await rename(join(partialDir, name), path).then(
      () => true,
      () => false,
    );
    if (adopted) return;
  }
}
