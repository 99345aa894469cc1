import { createReadStream } from 'node:fs';
import { createGunzip } from 'node:zlib';
import { KvmimgError, messageOf } from '../errors.ts';

/** A file of an initramfs archive; `path` without a leading slash, `mode` the permission bits. */
export interface ArchiveFile {
  readonly path: string;
  readonly mode: number;
  readonly content: string | Uint8Array;
}

const headerBytes = 110;
const directoryMode = 0o040755;
const regularMode = 0o100000;
const trailerName = 'TRAILER!!!';

/**
 * A cpio archive in the newc format (initramfs buffer format, linux/Documentation/driver-api/early-userspace), with the
 * folders above each file. The same files give the same bytes: owner root, date 0, sorted by path.
 */
export function makeCpio(files: readonly ArchiveFile[]): Uint8Array {
  const sorted = [...files].sort((one, other) => (one.path < other.path ? -1 : 1));
  const folders = [...new Set(sorted.flatMap(({ path }) => foldersAbove(path)))].sort();
  const entries = [
    ...folders.map((path) => ({ name: path, mode: directoryMode, links: 2, content: Buffer.alloc(0) })),
    ...sorted.map(({ path, mode, content }) => ({
      name: path,
      mode: regularMode | mode,
      links: 1,
      content: Buffer.from(content),
    })),
    { name: trailerName, mode: 0, links: 1, content: Buffer.alloc(0) },
  ];
  return Buffer.concat(entries.flatMap((entry, index) => makeEntry(entry, index + 1)));
}

function foldersAbove(path: string): string[] {
  const parts = path.split('/').slice(0, -1);
  return parts.map((_, index) => parts.slice(0, index + 1).join('/'));
}

interface Entry {
  readonly name: string;
  readonly mode: number;
  readonly links: number;
  readonly content: Uint8Array;
}

function makeEntry({ name, mode, links, content }: Entry, inode: number): Uint8Array[] {
  const encodedName = Buffer.from(`${name}\0`);
  const fields = [inode, mode, 0, 0, links, 0, content.length, 0, 0, 0, 0, encodedName.length, 0];
  const header = `070701${fields.map((field) => field.toString(16).toUpperCase().padStart(8, '0')).join('')}`;
  return [
    Buffer.from(header),
    encodedName,
    Buffer.alloc(paddingAfter(headerBytes + encodedName.length)),
    content,
    Buffer.alloc(paddingAfter(content.length)),
  ];
}

/** Zero bytes up to the next multiple of 4. */
export function paddingAfter(sizeBytes: number): number {
  return -sizeBytes & 3;
}

/**
 * The content of one file of a gzipped newc archive, such as `var/lib/dpkg/status` in an initrd; undefined when it is
 * not there. Only one entry at a time is in memory.
 *
 * @throws KvmimgError `bad-initrd` when it is no such archive.
 */
export async function readInitrdFile(initrdPath: string, wanted: string): Promise<Uint8Array | undefined> {
  const source = createReadStream(initrdPath, { highWaterMark: 1 << 18 });
  const gunzip = source.on('error', (error) => gunzip.destroy(error)).pipe(createGunzip());
  try {
    const reader = new ByteReader(gunzip);
    for (;;) {
      const header = (await reader.read(headerBytes)).toString('latin1');
      if (!/^07070[12][0-9A-Fa-f]{104}$/.test(header)) throw new Error('an entry has no cpio header');
      const fileBytes = fieldOf(header, 6);
      const nameBytes = fieldOf(header, 11);
      const name = (await reader.read(nameBytes)).toString('utf8', 0, nameBytes - 1).replace(/^\.?\//, '');
      await reader.skip(paddingAfter(headerBytes + nameBytes));
      if (name === trailerName) return undefined;
      if (name === wanted) return await reader.read(fileBytes);
      await reader.skip(fileBytes + paddingAfter(fileBytes));
    }
  } catch (cause) {
    throw new KvmimgError({
      code: 'bad-initrd',
      message: `${initrdPath} cannot be read as an initrd: ${messageOf(cause)}.`,
      cause,
    });
  } finally {
    source.destroy();
    gunzip.destroy();
  }
}

function fieldOf(header: string, index: number): number {
  return Number.parseInt(header.slice(6 + index * 8, 14 + index * 8), 16);
}

/** Exact numbers of bytes out of a stream. */
class ByteReader {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #rest: Uint8Array = new Uint8Array(0);

  constructor(stream: AsyncIterable<Uint8Array>) {
    this.#chunks = stream[Symbol.asyncIterator]();
  }

  async read(sizeBytes: number): Promise<Buffer> {
    const parts: Uint8Array[] = [];
    await this.#take(sizeBytes, (part) => parts.push(part));
    return Buffer.concat(parts);
  }

  async skip(sizeBytes: number): Promise<void> {
    await this.#take(sizeBytes, () => {});
  }

  async #take(sizeBytes: number, onPart: (part: Uint8Array) => void): Promise<void> {
    for (let missing = sizeBytes; missing > 0; ) {
      if (this.#rest.length === 0) this.#rest = await this.#nextChunk();
      const part = this.#rest.subarray(0, missing);
      this.#rest = this.#rest.subarray(part.length);
      missing -= part.length;
      onPart(part);
    }
  }

  async #nextChunk(): Promise<Uint8Array> {
    const next = await this.#chunks.next();
    if (next.done) throw new Error('it ends in the middle');
    return next.value;
  }
}
