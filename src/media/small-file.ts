import { randomBytes } from 'node:crypto';
import { mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describeWriteFailure } from './disk-space.ts';
import type { HttpClient } from './http.ts';
import { isFileUrl, pathOfFileUrl } from './url.ts';
import { type Refusal, toRefusal } from './verified-download.ts';

/** Checksums, signatures, `.treeinfo`, `InRelease`: read whole into memory. */
export interface SmallFile {
  /** Its URL or path. */
  readonly place: string;
  readonly content: Buffer;
}

/** Far more than any of them has. */
const limitBytes = 16 * 2 ** 20;

/**
 * Reads a small file of a server, or of this machine by its `file:` URL. A refusal where it is not there, is too large or
 * the server cannot be reached.
 *
 * @throws the signal's reason
 */
export async function readSmallFile(url: string, http: HttpClient, signal: AbortSignal): Promise<SmallFile | Refusal> {
  if (isFileUrl(url)) {
    const path = pathOfFileUrl(url);
    return (await findSmallFile(path)) ?? { place: path, reason: 'there is no such file' };
  }
  try {
    const response = await http.get(url, { signal });
    if (response.status === 200) return await receive(url, response.body);
    await response.discard();
    return { place: url, reason: `answers ${response.status}` };
  } catch (error) {
    return toRefusal(url, error);
  }
}

/** A small file of this machine, if there is one. */
export async function findSmallFile(path: string): Promise<SmallFile | undefined> {
  const found = await stat(path).catch(() => undefined);
  if (!found?.isFile() || found.size > limitBytes) return undefined;
  return { place: path, content: await readFile(path) };
}

/** The small files of these names in these folders, in the order of the folders. */
export async function findSmallFiles(folders: readonly string[], names: readonly string[]): Promise<SmallFile[]> {
  const paths = folders.flatMap((folder) => names.map((name) => join(folder, name)));
  const files = await Promise.all(paths.map(findSmallFile));
  return files.filter((file) => file !== undefined);
}

/** Writes a small file, whole or not at all. @throws KvmimgError `no-space` */
export async function writeSmallFile(path: string, content: string): Promise<void> {
  const partialPath = `${path}.${randomBytes(4).toString('hex')}.partial`;
  try {
    await mkdir(dirname(path), { recursive: true });
    const file = await open(partialPath, 'w');
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(partialPath, path);
  } catch (error) {
    await rm(partialPath, { force: true }).catch(() => {});
    throw describeWriteFailure(path, error);
  }
}

async function receive(place: string, body: AsyncIterable<Uint8Array>): Promise<SmallFile | Refusal> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > limitBytes) return { place, reason: `is larger than ${limitBytes} bytes` };
    chunks.push(chunk);
  }
  return { place, content: Buffer.concat(chunks) };
}
