import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';

/** What a file holds: its SHA-256 in lower-case hexadecimal and its length. */
export interface ContentDigest {
  readonly sha256: string;
  readonly sizeBytes: number;
}

export async function readDigest(path: string): Promise<ContentDigest> {
  const { hex, sizeBytes } = await readContent(path, 'sha256');
  return { sha256: hex, sizeBytes };
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

export type DigestAlgorithm = 'sha256' | 'sha512';

/** A digest in lower-case hexadecimal, and what it was made with. */
export interface NamedDigest {
  readonly algorithm: DigestAlgorithm;
  readonly hex: string;
}

/** A digest as distributions give it. Where both are there, the SHA-256 counts. */
export type KnownDigest = { readonly sha256: string } | { readonly sha512: string };

/** What a file must hold, whichever digest says so. */
export type KnownContent = KnownDigest & { readonly sizeBytes?: number | undefined };

export function nameDigest(known: KnownDigest): NamedDigest {
  if ('sha256' in known) return { algorithm: 'sha256', hex: known.sha256 };
  return { algorithm: 'sha512', hex: known.sha512 };
}

/** A file and what it was found to hold, as a manifest has it. */
export type DigestedFile = KnownDigest & { readonly file: string };

export function describeContent(file: string, { algorithm, hex }: NamedDigest): DigestedFile {
  return algorithm === 'sha256' ? { file, sha256: hex } : { file, sha512: hex };
}

interface MaybeDigest {
  readonly sha256?: string | undefined;
  readonly sha512?: string | undefined;
}

/** The digest of facts that may have none. */
export function findKnownDigest({ sha256, sha512 }: MaybeDigest): KnownDigest | undefined {
  if (sha256 !== undefined) return { sha256 };
  return sha512 === undefined ? undefined : { sha512 };
}

/** The same with the length, where that is known too: what a plan says about an ISO. */
export function plannedContent(
  iso: MaybeDigest & { readonly sizeBytes?: number | undefined },
): KnownContent | undefined {
  const digest = findKnownDigest(iso);
  if (digest === undefined) return undefined;
  return iso.sizeBytes === undefined ? digest : { ...digest, sizeBytes: iso.sizeBytes };
}

export function isSameDigest(one: KnownDigest, other: KnownDigest): boolean {
  const [a, b] = [nameDigest(one), nameDigest(other)];
  return a.algorithm === b.algorithm && a.hex === b.hex;
}

/** `SHA-256 0123...` */
export function describeDigest({ algorithm, hex }: NamedDigest): string {
  return `${describeAlgorithm(algorithm)} ${hex}`;
}

export function describeAlgorithm(algorithm: DigestAlgorithm): string {
  return algorithm.toUpperCase().replace('SHA', 'SHA-');
}

export interface ReadContent extends NamedDigest {
  readonly sizeBytes: number;
}

export interface ReadOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: ((bytes: number) => void) | undefined;
}

/** Reads a file through. @throws the signal's reason */
export async function readContent(
  path: string,
  algorithm: DigestAlgorithm,
  options: ReadOptions = {},
): Promise<ReadContent> {
  const hash = createHash(algorithm);
  let sizeBytes = 0;
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 }) as AsyncIterable<Uint8Array>) {
    options.signal?.throwIfAborted();
    hash.update(chunk);
    sizeBytes += chunk.length;
    options.onProgress?.(sizeBytes);
  }
  return { algorithm, hex: hash.digest('hex'), sizeBytes };
}

export function isKnownContent(read: ReadContent, known: KnownContent): boolean {
  const { algorithm, hex } = nameDigest(known);
  return read.algorithm === algorithm && read.hex === hex && (known.sizeBytes ?? read.sizeBytes) === read.sizeBytes;
}
