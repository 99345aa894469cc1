import type { KnownContent, KnownDigest } from './digest.ts';

/** What a file of checksums says about one file. */
export interface ChecksumEntry {
  readonly name: string;
  readonly content: KnownContent;
}

const bsdLine = /^([A-Za-z0-9-]+) \((.+)\) ?= ?([0-9a-fA-F]+)$/;
const plainLine = /^\\?([0-9a-fA-F]{64}|[0-9a-fA-F]{128}) [ *](.+)$/;
/** Fedora and the rebuilds of EL put the length before the digest: `# name.iso: 1234 bytes`. */
const sizeLine = /^# (.+): (\d+) bytes$/;
const hexLength = { SHA256: 64, SHA512: 128 } as const;

/**
 * The entries of a file of checksums, in the form of `sha256sum` or of BSD, with what it says about lengths. Digests
 * that are neither SHA-256 nor SHA-512 are passed over. Pure.
 */
export function parseChecksums(text: string): readonly ChecksumEntry[] {
  const lines = text.split(/\r?\n/).map((line) => line.trimEnd());
  const sizes = new Map<string, number>();
  for (const line of lines) {
    const [, name, bytes] = sizeLine.exec(line) ?? [];
    if (name !== undefined) sizes.set(name, Number(bytes));
  }
  return lines.flatMap((line) => {
    const entry = parseLine(line);
    if (entry === undefined) return [];
    const sizeBytes = sizes.get(entry.name);
    return [{ name: entry.name, content: sizeBytes ? { ...entry.digest, sizeBytes } : entry.digest }];
  });
}

/**
 * What the file of checksums says about a file: SHA-256 where it has several. `undefined` where it has no line of that
 * name; `'contradiction'` where two lines of one kind differ.
 */
export function findChecksum(text: string, fileName: string): KnownContent | 'contradiction' | undefined {
  const contents = parseChecksums(text)
    .filter(({ name }) => name === fileName || name === `./${fileName}`)
    .map(({ content }) => content);
  const sha256 = contents.filter((content) => 'sha256' in content);
  const [first, ...others] = sha256.length > 0 ? sha256 : contents;
  if (first === undefined) return undefined;
  return others.every((other) => JSON.stringify(other) === JSON.stringify(first)) ? first : 'contradiction';
}

function parseLine(line: string): { readonly name: string; readonly digest: KnownDigest } | undefined {
  const [, label, bsdName = '', bsdHex = ''] = bsdLine.exec(line) ?? [];
  if (label !== undefined) {
    const algorithm = label.toUpperCase().replace('-', '');
    if (algorithm !== 'SHA256' && algorithm !== 'SHA512') return undefined;
    return bsdHex.length === hexLength[algorithm] ? { name: bsdName, digest: makeDigest(bsdHex) } : undefined;
  }
  const [, hex, name] = plainLine.exec(line) ?? [];
  return hex === undefined || name === undefined ? undefined : { name, digest: makeDigest(hex) };
}

function makeDigest(hex: string): KnownDigest {
  const lower = hex.toLowerCase();
  return lower.length === hexLength.SHA256 ? { sha256: lower } : { sha512: lower };
}
