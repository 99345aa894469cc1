import { createReadStream } from 'node:fs';
import { open, readFile } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { findField, readStanzaTexts } from './control-stanzas.ts';
import { decompressXz } from './deb.ts';
import type { ContentDigest, ExpectedContent } from './digest.ts';
import { parseRelease } from './release.ts';

const releasePattern = /^(dists\/.+)\/(?:In)?Release$/;
const packagesPattern = /\/binary-[^/]+\/(?:Packages(?:\.gz|\.xz)?|by-hash\/SHA256\/[0-9a-f]{64})$/;
const byHashPattern = /\/by-hash\/SHA256\/([0-9a-f]{64})$/;

/**
 * What one mirror's own indices say about its files, learnt as the indices pass through: `Release` gives the digests of
 * the indices, `Packages` those of the package files.
 */
export class MirrorDigests {
  readonly #indices = new Map<string, ContentDigest>();
  readonly #packages = new Map<string, ContentDigest>();
  /** Packages indices not read yet: they are large, and only a package file that must be fetched makes them needed. */
  #unread: string[] = [];
  readonly #seen = new Set<string>();
  #reading: Promise<void> = Promise.resolve();

  /** Takes note of an index; `path` is below the mirror, `filePath` in the content store. */
  async learn(path: string, filePath: string): Promise<void> {
    if (this.#seen.has(filePath)) return;
    this.#seen.add(filePath);
    const suite = releasePattern.exec(path)?.[1];
    if (suite !== undefined) {
      const release = parseRelease(await readFile(filePath, 'utf8'));
      for (const [index, digest] of release.indices) this.#indices.set(`${suite}/${index}`, digest);
    }
    if (packagesPattern.test(path)) this.#unread.push(filePath);
  }

  /** What is known without reading anything. */
  findKnown(path: string): ExpectedContent | undefined {
    const sha256 = byHashPattern.exec(path)?.[1];
    return sha256 === undefined ? (this.#packages.get(path) ?? this.#indices.get(path)) : { sha256 };
  }

  /** What the indices that have passed say, after they have been read. */
  async find(path: string): Promise<ExpectedContent | undefined> {
    const unread = this.#unread;
    this.#unread = [];
    if (unread.length > 0) this.#reading = this.#reading.then(() => this.#readAll(unread));
    await this.#reading;
    return this.findKnown(path);
  }

  async #readAll(filePaths: readonly string[]): Promise<void> {
    for (const filePath of filePaths) {
      try {
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
      if (path && sha256 && size) this.#packages.set(detach(path), { sha256: detach(sha256), sizeBytes: Number(size) });
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
