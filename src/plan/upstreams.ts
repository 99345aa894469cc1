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
      return { packages: mirrors.build, ...further };
  }
}

/** What every mirror of this distribution has, below the guest's root: without it an install need not begin. */
export function mirrorProbes({ distro, media }: Mirrored): readonly string[] {
  const { codename } = distro;
  switch (distro.family) {
    case 'debian':
      return [`debian/dists/${codename}/InRelease`, `debian-security/dists/${codename}-security/InRelease`];
    case 'ubuntu':
    case 'photon':
      // Installed from the ISO, whatever there is of a mirror.
      return [];
    case 'redhat':
      return media.kind === 'tree' ? [`packages/${media.path}/.treeinfo`] : [];
  }
}
