import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import type { WorkOptions } from './export-format.ts';

export interface FileDigest {
  readonly sizeBytes: number;
  readonly sha256: string;
}

const chunkBytes = 2 ** 20;

interface Place {
  readonly path: string;
  readonly within?: { readonly offsetBytes: number; readonly sizeBytes: number } | undefined;
  readonly sizeBytes: number;
}

/** Hashes a file, or a part of one, in one pass. */
export async function readDigest(place: Place, algorithm: string, options: WorkOptions = {}): Promise<string> {
  const start = place.within?.offsetBytes ?? 0;
  const length = place.within?.sizeBytes ?? place.sizeBytes;
  const hash = createHash(algorithm);
  if (length === 0) return hash.digest('hex');
  const bytes = createReadStream(place.path, { start, end: start + length - 1, highWaterMark: chunkBytes });
  let done = 0;
  for await (const chunk of bytes as AsyncIterable<Buffer>) {
    options.signal?.throwIfAborted();
    hash.update(chunk);
    done += chunk.length;
    options.onProgress?.(done / length);
  }
  return hash.digest('hex');
}
