import type { DistroOf, InstallerLock } from './schema.ts';

/** Full names of the lock's udebs that the distro's facts leave out; of kernel modules they say the name alone. */
export function skippedUdebs(distro: Pick<DistroOf<'debian'>, 'skipUdebs'>, lock: InstallerLock): string[] {
  const skipped = new Set(distro.skipUdebs.flatMap((name) => [name, `${name}-${lock.kernelVersion}-di`]));
  return lock.udebs.map((udeb) => udeb.package).filter((name) => skipped.has(name));
}
