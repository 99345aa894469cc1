import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';

/** What a file holds: its SHA-256 in lower-case hexadecimal and its length. */
export interface ContentDigest {
  readonly sha256: string;
  readonly sizeBytes: number;
}

export async function readDigest(path: string): Promise<ContentDigest> {
  const hash = createHash('sha256');
  let sizeBytes = 0;
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 }) as AsyncIterable<Uint8Array>) {
    hash.update(chunk);
    sizeBytes += chunk.length;
  }
  return { sha256: hash.digest('hex'), sizeBytes };
}

export function sha256Of(bytes: string | Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** What a file must hold; the length is not always known beforehand. */
export interface ExpectedContent {
  readonly sha256: string;
  readonly sizeBytes?: number | undefined;
}

export function isExpectedContent(digest: ContentDigest, expected: ExpectedContent): boolean {
  return digest.sha256 === expected.sha256 && (expected.sizeBytes ?? digest.sizeBytes) === digest.sizeBytes;
}
