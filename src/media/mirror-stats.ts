/** Files and bytes that the guest got. */
export interface ServedCounts {
  readonly filesFromMirror: number;
  readonly bytesFromMirror: number;
  readonly filesFromCache: number;
  readonly bytesFromCache: number;
}

export interface MirrorStats {
  /** Files below `pool/`. */
  readonly packages: ServedCounts;
  /** Everything else. */
  readonly indices: ServedCounts;
}

const none: ServedCounts = { filesFromMirror: 0, bytesFromMirror: 0, filesFromCache: 0, bytesFromCache: 0 };

export class MirrorCounts {
  #packages = none;
  #indices = none;

  /** @param path below the mirror */
  count(path: string, sizeBytes: number, from: 'mirror' | 'cache'): void {
    if (path.startsWith('pool/')) this.#packages = added(this.#packages, sizeBytes, from);
    else this.#indices = added(this.#indices, sizeBytes, from);
  }

  stats(): MirrorStats {
    return { packages: this.#packages, indices: this.#indices };
  }
}

function added(counts: ServedCounts, sizeBytes: number, from: 'mirror' | 'cache'): ServedCounts {
  if (from === 'mirror') {
    const { filesFromMirror, bytesFromMirror } = counts;
    return { ...counts, filesFromMirror: filesFromMirror + 1, bytesFromMirror: bytesFromMirror + sizeBytes };
  }
  const { filesFromCache, bytesFromCache } = counts;
  return { ...counts, filesFromCache: filesFromCache + 1, bytesFromCache: bytesFromCache + sizeBytes };
}
