import type { PlanOf } from '../plan/plan-of.ts';
import { rpmArches } from '../plan/planned-media.ts';
import { quoteShellWord } from '../process/quote-command.ts';
import { quoteKickstart } from './quote-kickstart.ts';
import { describeRpmRepository, rpmRepositoryPath } from './rpm-repository.ts';
import type { RunFacts } from './run-facts.ts';

export type RedhatPlan = PlanOf<'redhat', 'iso' | 'tree'>;

/** Where dracut mounts the ISO that it has found stage 2 on; it stays there, and /run is the new system's too. */
const isoFolder = '/run/install/repo';
const keyFolder = '/etc/pki/rpm-gpg';

interface Repository {
  readonly id: string;
  readonly url: string;
  readonly onIso: boolean;
}

/** The distribution's own, where the installer finds them: on its ISO, or below the guest's root. */
function findRepositories({ distro, media, recipe }: RedhatPlan, run: RunFacts): readonly Repository[] {
  return distro.repositories.flatMap(({ id, path, isoPath }): Repository[] => {
    if (media.kind === 'iso' && isoPath !== undefined) {
      return [{ id, url: `file://${isoFolder}${isoPath}`, onIso: true }];
    }
    if (distro.subscription) return [];
    return [
      { id, url: `${run.guestRoot}/packages/${path.replaceAll('{arch}', rpmArches[recipe.arch])}`, onIso: false },
    ];
  });
}

/** The commands that name the repositories: the first is the installation source. */
export function renderSource(plan: RedhatPlan, run: RunFacts): string {
  const [first, ...others] = findRepositories(plan, run);
  const source = first === undefined || first.onIso ? 'cdrom' : `url --url=${quoteKickstart(first.url, 'mirror')}`;
  const repos = others.map(
    ({ id, url }) => `repo --name=${quoteKickstart(id, 'repository')} --baseurl=${quoteKickstart(url, 'mirror')}`,
  );
  return [source, ...repos].join('\n');
}

/** Lines of shell that install the recipe's packages where it has repositories of its own; none where it has not. */
export function renderRecipePackages(plan: RedhatPlan, run: RunFacts): string {
  const { repositories, packages } = plan.recipe;
  if (repositories.length === 0 || packages.length === 0) return '';
  const own = findRepositories(plan, run).map(({ id, url }) => describeRpmRepository(`kvmimg-install-${id}`, url));
  const file = rpmRepositoryPath('kvmimg-install');
  const names = ['kvmimg-install-*', ...repositories.map(({ name }) => name)];
  const command = [
    'dnf',
    '-y',
    ...names.map((name) => `--repo=${name}`),
    '--setopt=install_weak_deps=False',
    'install',
  ];
  return [
    "# the recipe's packages: not by Anaconda, which does not check signatures",
    // RHEL 9 has a post-quantum key that its rpm cannot read, CentOS Stream 9 one bound by SHA-1. dnf installs nothing
    // that is not signed by a key that could be read.
    `for key in ${keyFolder}/RPM-GPG-KEY-*; do rpm --import "$key" || echo "kvmimg: rpm cannot read $key" >&2; done`,
    `write_file ${file} 644 ${quoteShellWord(own.join('\n\n'))}`,
    // Without `--`, which dnf 5 does not know (its issue 700); no name of a package begins with a hyphen.
    [...command, ...packages].map(quoteShellWord).join(' '),
    `rm -f ${file}`,
    'dnf -q clean all',
    '',
  ].join('\n');
}
