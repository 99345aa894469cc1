export interface ManifestEntry {
  /** For node:crypto: `sha1`, `sha256`, `sha512`. */
  readonly algorithm: string;
  readonly fileName: string;
  /** Lower-case hexadecimal. */
  readonly digest: string;
}

/**
 * The `.mf` member. No space between the algorithm and the parenthesis, and the name SHA256, not SHA2-256: importers
 * refuse both (home-assistant/operating-system#826, bottlerocket-os/bottlerocket#2705).
 */
export function makeManifest(files: readonly { readonly fileName: string; readonly sha256: string }[]): string {
  return files.map(({ fileName, sha256 }) => `SHA256(${fileName})= ${sha256}\n`).join('');
}

/** The entries of a manifest, or what is wrong with it. Also takes the spellings of other writers. */
export function parseManifest(text: string): { readonly entries: ManifestEntry[]; readonly problems: string[] } {
  const entries: ManifestEntry[] = [];
  const problems: string[] = [];
  for (const line of text.split(/\r?\n/).filter((candidate) => candidate.trim() !== '')) {
    const match = /^(SHA-?1|SHA2?-?256|SHA2?-?512) ?\((.+)\) ?= ?([0-9a-fA-F]+)$/i.exec(line.trim());
    if (match?.[1] && match[2] && match[3]) {
      const bits = /256|512/.exec(match[1])?.[0] ?? '1';
      entries.push({ algorithm: `sha${bits}`, fileName: match[2], digest: match[3].toLowerCase() });
    } else {
      problems.push(`the manifest has a line that is no digest: ${JSON.stringify(line.slice(0, 80))}`);
    }
  }
  return { entries, problems };
}
