import { fetchIso } from '../../../src/media/iso-media.ts';
import type { IsoSources } from '../../../src/media/iso-sources.ts';
import type { FetchOptions } from '../../../src/media/verified-download.ts';
import type { PlannedIso } from '../../../src/plan/plan.ts';
import type { MediaFixture } from './media-fixture.ts';

export const isoContent = Buffer.alloc(300_000, 'installer ');

/** The facts about an ISO of the tests, and nothing about its digest. */
export function makeIso(facts: Partial<PlannedIso> = {}): PlannedIso {
  return { fileName: 'server.iso', urls: [], volumeId: 'SERVER', kernel: '/linux', initrd: '/initrd', ...facts };
}

/** Fetches as one build does: nothing is remembered but what is in the cache. */
export function fetchOnce(
  fixture: MediaFixture,
  iso: PlannedIso,
  { onProgress, ...overrides }: Partial<IsoSources> & Pick<FetchOptions, 'onProgress'> = {},
) {
  const { urls: _, ...sources } = fixture.sources({});
  const { cacheDir, dir: distrosDir, signal } = fixture;
  const from = { ...sources, cacheDir, lockName: 'tiny-1-amd64', distrosDir, refresh: false, ...overrides };
  return fetchIso(iso, from, { signal, onProgress });
}
