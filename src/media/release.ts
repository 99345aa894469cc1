import { parseStanza } from './control-stanzas.ts';
import type { ContentDigest } from './digest.ts';

/** What a suite's `Release` says: its fields, and the digest of each index below `dists/<suite>/`. */
export interface Release {
  readonly fields: ReadonlyMap<string, string>;
  readonly indices: ReadonlyMap<string, ContentDigest>;
}

/** Reads a `Release`, or the signed text of an `InRelease`, signature and all. */
export function parseRelease(text: string): Release {
  const fields = parseStanza(text.replace(/^-----BEGIN PGP SIGNED MESSAGE-----\n(.+\n)*\n/, ''));
  const indices = new Map<string, ContentDigest>();
  for (const line of fields.get('SHA256')?.split('\n') ?? []) {
    const [sha256, size, path] = line.trim().split(/\s+/);
    if (sha256 && size && path) indices.set(path, { sha256, sizeBytes: Number(size) });
  }
  return { fields, indices };
}
