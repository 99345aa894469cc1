import { describe, expect, it } from 'vitest';
import { findCacheDir } from '../../../src/host/cache-dir.ts';

describe('findCacheDir', () => {
  it.each([
    [{ KVMIMG_CACHE_DIR: '/a', XDG_CACHE_HOME: '/b' }, '/a'],
    [{ KVMIMG_CACHE_DIR: '', XDG_CACHE_HOME: '/b' }, '/b/kvmimg'],
    [{ XDG_CACHE_HOME: 'relative' }, '/home/me/.cache/kvmimg'],
    [{}, '/home/me/.cache/kvmimg'],
  ])('with %j is %s', (env, expected) => {
    expect(findCacheDir(env, '/home/me')).toBe(expected);
  });
});
