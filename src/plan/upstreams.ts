import type { Plan } from './plan.ts';

type Mirrored = Pick<Plan, 'distro' | 'mirrors' | 'recipe' | 'media'>;

/**
 * The servers that a guest reaches through kvmimg, by the name that stands for each below the guest's root: the
 * distribution's mirrors, and the recipe's repositories as `repository-<name>`. Nothing else is known to a guest.
 */
export function upstreamsOf({ distro, mirrors, recipe }: Mirrored): Readonly<Record<string, string>> {
  const further = Object.fromEntries(recipe.repositories.map(({ name, url }) => [`repository-${name}`, url]));
  switch (distro.family) {
    case 'debian':
      return { debian: mirrors.build, 'debian-security': mirrors.buildSecurity, ...further };
    case 'ubuntu':
      return { ubuntu: mirrors.build, 'ubuntu-security': mirrors.buildSecurity, ...further };
    case 'redhat':
    case 'photon':
      return {
        packages: mirrors.build,
        ...(mirrors.archive && { [archiveOf('packages')]: mirrors.archive }),
        ...further,
      };
  }
}

/** The upstream that has what another one does not have any more: releases move to an archive. */
export function archiveOf(upstream: string): string {
  return `${upstream}-archive`;
}

/** What every mirror of this distribution has, below the guest's root: without it an install need not begin. */
export function mirrorProbes({ distro }: Mirrored): readonly string[] {
  const { codename } = distro;
  // The others are installed from an ISO, whatever there is of a mirror, or from a tree that is looked for anyway.
  if (distro.family !== 'debian') return [];
  return [`debian/dists/${codename}/InRelease`, `debian-security/dists/${codename}-security/InRelease`];
}
