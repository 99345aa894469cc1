import { createReadStream, createWriteStream } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { extract } from 'tar-stream';
import xz from 'xz-decompress';
import { KvmimgError, messageOf } from '../errors.ts';
import { describeWriteFailure } from './disk-space.ts';

interface ArMember {
  readonly name: string;
  readonly offsetBytes: number;
  readonly sizeBytes: number;
}

/**
 * Writes members of a .deb's data archive to files and stops reading as soon as it has them all. Nothing is held in
 * memory but a few blocks.
 *
 * @param wanted destination paths by member name, without a leading `./`
 * @throws KvmimgError `bad-deb` when the file is no .deb, is damaged, or has not all the members; `no-space`.
 */
export async function extractDebMembers(
  debPath: string,
  wanted: ReadonlyMap<string, string>,
  signal: AbortSignal,
): Promise<void> {
  const data = await findDataArchive(debPath);
  const source = createReadStream(debPath, {
    start: data.offsetBytes,
    end: data.offsetBytes + data.sizeBytes - 1,
    highWaterMark: 1 << 18,
  });
  const missing = await extractTarMembers(openDecompressed(source, data.name, debPath), wanted, signal).catch(
    (error: unknown) => {
      signal.throwIfAborted();
      throw error instanceof KvmimgError ? error : badDeb(debPath, `its ${data.name} is damaged: ${messageOf(error)}`);
    },
  );
  source.destroy();
  if (missing.length > 0) throw badDeb(debPath, `it does not hold ${missing.join(', ')}`);
}

/** @throws KvmimgError `bad-deb` where there is none, or its end is missing. */
export async function findDataArchive(debPath: string): Promise<ArMember> {
  const file = await open(debPath);
  try {
    for await (const member of readArMembers(file, debPath)) if (member.name.startsWith('data.tar')) return member;
  } finally {
    await file.close();
  }
  throw badDeb(debPath, 'it has no data.tar member');
}

/** The members of an ar archive, as deb(5) uses it: a 60-byte header each, data padded to even offsets. */
async function* readArMembers(file: FileHandle, path: string): AsyncIterable<ArMember> {
  const { size } = await file.stat();
  if ((await readText(file, 0, 8)) !== '!<arch>\n') throw badDeb(path, 'it is no ar archive');
  for (let offset = 8; offset + 60 <= size; ) {
    const header = await readText(file, offset, 60);
    const sizeBytes = Number(header.slice(48, 58).trim());
    if (!header.endsWith('`\n') || !Number.isInteger(sizeBytes)) throw badDeb(path, 'its ar archive is damaged');
    const offsetBytes = offset + 60;
    if (offsetBytes + sizeBytes > size) throw badDeb(path, 'it is cut off');
    yield { name: header.slice(0, 16).trim().replace(/\/$/, ''), offsetBytes, sizeBytes };
    offset = offsetBytes + sizeBytes + (sizeBytes % 2);
  }
}

async function readText(file: FileHandle, position: number, length: number): Promise<string> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, position);
  return buffer.toString('latin1', 0, bytesRead);
}

function openDecompressed(source: Readable, name: string, debPath: string): Readable {
  if (name.endsWith('.tar')) return source;
  if (name.endsWith('.gz')) return source.pipe(createGunzip());
  if (name.endsWith('.xz')) return decompressXz(source);
  throw badDeb(debPath, `kvmimg cannot read the compression of its ${name}`);
}

/** A stream of what an xz stream holds. */
export function decompressXz(source: Readable): Readable {
  // The web stream types of Node and of the package differ in nothing that matters here.
  const compressed = Readable.toWeb(source) as unknown as ConstructorParameters<typeof xz.XzReadableStream>[0];
  return Readable.fromWeb(new xz.XzReadableStream(compressed) as Parameters<typeof Readable.fromWeb>[0]);
}

async function extractTarMembers(
  tar: Readable,
  wanted: ReadonlyMap<string, string>,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const remaining = new Map(wanted);
  const entries = extract();
  const reading = pipeline(tar, entries, { signal });
  const writing = (async () => {
    for await (const entry of entries) {
      const name = entry.header.name.replace(/^\.\//, '');
      const destination = remaining.get(name);
      if (destination === undefined) {
        entry.resume();
        continue;
      }
      await pipeline(entry, createWriteStream(destination)).catch((error: unknown) => {
        throw describeWriteFailure(destination, error);
      });
      remaining.delete(name);
      if (remaining.size === 0) return;
    }
  })();
  // Leaving the loop early destroys the archive's stream, which ends the reading with an error of its own.
  const [read, written] = await Promise.allSettled([reading, writing]);
  if (remaining.size === 0) return [];
  if (written.status === 'rejected') throw written.reason;
  if (read.status === 'rejected') throw read.reason;
  return [...remaining.keys()];
}

function badDeb(path: string, reason: string): KvmimgError {
  return new KvmimgError({ code: 'bad-deb', message: `${path} cannot be used: ${reason}.` });
}
