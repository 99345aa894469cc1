import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

/** `$KVMIMG_CACHE_DIR`, else `$XDG_CACHE_HOME/kvmimg`, else `~/.cache/kvmimg`; absolute. */
export function findCacheDir(env: Readonly<Record<string, string | undefined>>, home: string = homedir()): string {
  if (env.KVMIMG_CACHE_DIR) return resolve(env.KVMIMG_CACHE_DIR);
  // The XDG base directory specification has relative paths ignored.
  if (env.XDG_CACHE_HOME?.startsWith('/')) return join(env.XDG_CACHE_HOME, 'kvmimg');
  return join(home, '.cache', 'kvmimg');
}
