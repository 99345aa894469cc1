import { distrosDir } from '../distro/catalogue.ts';
import type { Scope } from '../lifecycle/scope.ts';
import { type ContentStore, openContentStore } from '../media/content-store.ts';
import { type HttpClient, openHttpClient } from '../media/http.ts';
import type { IsoSources } from '../media/iso-sources.ts';
import type { Plan } from '../plan/plan.ts';
import { mediaLockName } from '../plan/planned-media.ts';

/** How a build gets files: the store of what it has, and the client for what it has not. */
export interface MediaAccess {
  readonly store: ContentStore;
  readonly http: HttpClient;
  readonly mediaDirs: readonly string[];
  readonly offline: boolean;
}

export function openMediaAccess(plan: Plan, scope: Scope): MediaAccess {
  return {
    store: openContentStore(plan.cacheDir),
    http: openHttpClient({ proxy: plan.recipe.proxy, scope }),
    mediaDirs: plan.mediaDirs,
    offline: plan.offline,
  };
}

/** The same for ISOs and trees, whose digests may have to be found out. */
export function isoSourcesOf(plan: Plan, access: MediaAccess): IsoSources {
  const { cacheDir, cache } = plan;
  return { ...access, cacheDir, distrosDir, lockName: mediaLockName(plan), refresh: cache === 'refresh' };
}
