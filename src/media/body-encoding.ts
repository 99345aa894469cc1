import { pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';
import type { Dispatcher } from 'undici';

/**
 * Whether a proxy has compressed a body although it was asked for as it is. What is called .gz, or by its hash alone, may be
 * compressed anyway: some servers say of such files what they hold.
 */
export function isCompressedOnTheWay(url: string, encoding: string | undefined): boolean {
  return /^(?:x-)?gzip$/i.test(encoding ?? '') && !/\.t?gz$|\/by-hash\//.test(new URL(url).pathname);
}

/** The body as its file is. Nothing is read before somebody asks: an error would have nobody to tell. */
export async function* decompressed(body: Dispatcher.ResponseData['body']): AsyncIterable<Uint8Array> {
  yield* pipeline(body, createGunzip(), () => {});
}

/** What these say is true of the compressed body alone. */
export const headersOfEncoded: ReadonlySet<string> = new Set([
  'content-length',
  'content-encoding',
  'content-range',
  'etag',
  'last-modified',
  'accept-ranges',
]);
