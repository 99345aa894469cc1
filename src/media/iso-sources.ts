import type { MediaSources } from './pinned-file.ts';

/** Where an ISO, and what is said about it, may come from. */
export interface IsoSources extends Omit<MediaSources, 'urls'> {
  readonly cacheDir: string;
  /** Names the lock of what no facts say: `<distro>-<arch>`. */
  readonly lockName: string;
  /** Folder that the names of keyrings are relative to. */
  readonly distrosDir: string;
  /** Ask anew for digests that an earlier build has found (`--refresh`). */
  readonly refresh: boolean;
}
