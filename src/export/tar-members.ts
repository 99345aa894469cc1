import { createReadStream } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { extract } from 'tar-stream';
import { KvmimgError, messageOf } from '../errors.ts';
import type { WorkOptions } from './export-format.ts';

export interface TarMember {
  readonly name: string;
  /** Where its content begins. */
  readonly offsetBytes: number;
  readonly sizeBytes: number;
  readonly isFile: boolean;
  /** POSIX ustar, which VMware's importers want; GNU tar's own dialect is another. */
  readonly isUstar: boolean;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

const headerBytes = 512;
const maxMembers = 1000;

/**
 * Lists the members of a tar file, in order.
 *
 * @throws KvmimgError `ova-damaged` when it is no tar file or was cut off.
 */
export async function readTarMembers(path: string, options: WorkOptions = {}): Promise<TarMember[]> {
  const file = await open(path, 'r');
  try {
    return await listMembers(file, path, options);
  } finally {
    await file.close();
  }
}

async function listMembers(file: FileHandle, path: string, options: WorkOptions): Promise<TarMember[]> {
  const { size } = await file.stat();
  const members: TarMember[] = [];
  const reader = extract();
  reader.on('entry', (header, content, next) => {
    // tar-stream tells it at run time; its types do not.
    const offsetBytes = Number('byteOffset' in header ? header.byteOffset : Number.NaN);
    const { name, type, mode = 0, uid = 0, gid = 0, size: sizeBytes = 0 } = header;
    members.push({ name, offsetBytes, sizeBytes, isFile: type === 'file', isUstar: false, mode, uid, gid });
    content.on('end', () => next(members.length > maxMembers ? new Error('it has too many members') : undefined));
    // A cut-off tar fails the member's stream as well; the pipeline tells it.
    content.on('error', () => {});
    content.resume();
  });
  const bytes = createReadStream(path, { highWaterMark: 2 ** 20 });
  bytes.on('data', () => options.onProgress?.(bytes.bytesRead / size));
  await pipeline(bytes, reader, options.signal ? { signal: options.signal } : {}).catch((error: unknown) => {
    options.signal?.throwIfAborted();
    throw notTar(path, error);
  });
  const outside = members.find((member) => !(member.offsetBytes + member.sizeBytes <= size));
  if (outside) throw notTar(path, new Error(`its member ${outside.name} reaches behind the end of the file`));
  return Promise.all(members.map(async (member) => ({ ...member, isUstar: await hasUstarHeader(file, member) })));
}

async function hasUstarHeader(file: FileHandle, member: TarMember): Promise<boolean> {
  const { buffer } = await file.read(Buffer.alloc(headerBytes), 0, headerBytes, member.offsetBytes - headerBytes);
  return buffer.toString('latin1', 257, 265) === 'ustar\x0000';
}

function notTar(path: string, cause: unknown): KvmimgError {
  return new KvmimgError({
    code: 'ova-damaged',
    message: `${path} is not a whole tar file: ${messageOf(cause)}`,
    hint: 'Fetch or make it again.',
    cause,
  });
}
