import type { Recipe } from '../recipe/schema.ts';
import type { DistroOf, InstallerLock } from './schema.ts';

type Disk = Pick<Recipe['disk'], 'layout' | 'filesystem'>;

/**
 * Full names of the lock's udebs that the distro's facts leave out, but for what the disk of the recipe needs; of kernel
 * modules the facts say the name alone.
 */
export function skippedUdebs(
  distro: Pick<DistroOf<'debian'>, 'skipUdebs'>,
  lock: InstallerLock,
  { layout, filesystem }: Disk,
): string[] {
  const skipped = new Set(distro.skipUdebs.flatMap((name) => [name, `${name}-${lock.kernelVersion}-di`]));
  const wanted = [
    ...(layout === 'lvm' ? ['partman-auto-lvm'] : []),
    ...(filesystem === 'ext4' ? [] : [`partman-${filesystem}`]),
  ];
  const needed = findWithDependencies(wanted, lock);
  return lock.udebs.map((udeb) => udeb.package).filter((name) => skipped.has(name) && !needed.has(name));
}

/** Names of the udebs of the lock that have or provide one of these names, and of all that they depend on. */
function findWithDependencies(names: readonly string[], lock: InstallerLock): ReadonlySet<string> {
  const found = new Set<string>();
  const add = (name: string): void => {
    for (const udeb of lock.udebs) {
      const { Provides = '', Depends = '' } = udeb.fields;
      if (found.has(udeb.package) || ![udeb.package, ...listNames(Provides)].includes(name)) continue;
      found.add(udeb.package);
      listNames(Depends).forEach(add);
    }
  };
  names.forEach(add);
  return found;
}

/** The names in `libaio1-udeb (>= 0.3), md-modules | other`. */
function listNames(relations: string): string[] {
  return relations.split(/[,|]/).map((relation) => relation.trim().split(/[\s(:]/)[0] ?? '');
}
