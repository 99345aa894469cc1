import { createReadStream } from 'node:fs';
import { open, readFile } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import type { ContentStore } from './content-store.ts';
import { findField, readStanzaTexts } from './control-stanzas.ts';
import { decompressXz } from './deb.ts';
import type { ContentDigest, ExpectedContent } from './digest.ts';
import { parseRelease } from './release.ts';

const releasePattern = /^(?:(.+)\/)?(?:In)?Release$/;
const packagesPattern = /(?:^|\/)(?:Packages(?:\.gz|\.xz)?|binary-[^/]+\/by-hash\/SHA(?:256|512)\/[0-9a-f]+)$/;
const byHashPattern = /\/by-hash\/SHA256\/([0-9a-f]{64})$/;

/** True of a file that a Packages index may name, and whose content should never change. */
export function isPackagePath(path: string): boolean {
  return path.startsWith('pool/') || /\.u?deb$/.test(path);
}

/**
 * What one mirror's own indices say about its files, learnt as the indices pass through: `Release` gives the digests of
 * the indices, `Packages` those of the package files. A guest that has its indices from an earlier build asks for no
 * more than `Release`: what that names and the store has is read, too.
 */
export class MirrorDigests {
  readonly #store: Pick<ContentStore, 'find'>;
  readonly #indices = new Map<string, ContentDigest>();
  readonly #packages = new Map<string, ContentDigest>();
  /** Packages indices not read yet, by digest: they are large, and only a package file makes them needed. */
  readonly #unread = new Map<string, ExpectedContent>();
  readonly #read = new Set<string>();
  readonly #releases = new Set<string>();
  #reading: Promise<void> = Promise.resolve();

  constructor(store: Pick<ContentStore, 'find'>) {
    this.#store = store;
  }

  /** Takes note of an index; `path` is below the mirror, `filePath` in the content store. */
  async learn(path: string, { sha256, sizeBytes }: ContentDigest, filePath: string): Promise<void> {
    const release = releasePattern.exec(path);
    if (release) await this.#learnRelease(release[1] === undefined ? '' : `${release[1]}/`, sha256, filePath);
    if (packagesPattern.test(path)) this.#learnPackages({ sha256, sizeBytes });
  }

  /** What the indices that have passed say, after those have been read that may name this file. */
  async find(path: string): Promise<ExpectedContent | undefined> {
    const sha256 = byHashPattern.exec(path)?.[1];
    if (sha256 !== undefined) return { sha256 };
    if (!isPackagePath(path)) return this.#indices.get(path);
    const unread = [...this.#unread.values()];
    this.#unread.clear();
    if (unread.length > 0) this.#reading = this.#reading.then(() => this.#readAll(unread));
    await this.#reading;
    return this.#packages.get(path);
  }

  async #learnRelease(folder: string, sha256: string, filePath: string): Promise<void> {
    // The same Release may pass as that of two suites: of `trixie` and of `stable`.
    const key = `${folder} ${sha256}`;
    if (this.#releases.has(key)) return;
    this.#releases.add(key);
    for (const [index, digest] of parseRelease(await readFile(filePath, 'utf8')).indices) {
      this.#indices.set(`${folder}${index}`, digest);
      if (packagesPattern.test(index)) this.#learnPackages(digest);
    }
  }

  #learnPackages(content: ContentDigest): void {
    if (!this.#read.has(content.sha256)) this.#unread.set(content.sha256, content);
  }

  async #readAll(contents: readonly ExpectedContent[]): Promise<void> {
    for (const content of contents) {
      try {
        // What a Release names and nobody has fetched yet is learnt when it passes.
        const filePath = await this.#store.find(content);
        if (filePath === undefined) continue;
        this.#read.add(content.sha256);
        await this.#readPackages(filePath);
      } catch {
        // An index that cannot be read teaches nothing; the guest's own checks will say so.
      }
    }
  }

  async #readPackages(filePath: string): Promise<void> {
    for await (const text of readStanzaTexts(await openIndex(filePath))) {
      const path = findField(text, 'Filename');
      const sha256 = findField(text, 'SHA256');
      const size = findField(text, 'Size');
      if (!path || !sha256 || !size) continue;
      // Repositories without suites write ./name.
      this.#packages.set(detach(path.replace(/^(?:\.\/)+/, '')), { sha256: detach(sha256), sizeBytes: Number(size) });
    }
  }
}

/** A copy of its own: V8 makes slices of a string point into it, which would keep the whole index in memory. */
function detach(slice: string): string {
  return Buffer.from(slice, 'latin1').toString('latin1');
}

/** An index decompressed, by its first bytes: a by-hash name does not tell the compression. */
async function openIndex(filePath: string): Promise<Readable> {
  const file = await open(filePath);
  const { buffer } = await file.read(Buffer.alloc(6), 0, 6, 0).finally(() => file.close());
  const source = createReadStream(filePath, { highWaterMark: 1 << 18 });
  if (buffer.toString('hex').startsWith('fd377a585a00')) return decompressXz(source);
  return buffer.toString('hex').startsWith('1f8b') ? source.pipe(createGunzip()) : source;
}
