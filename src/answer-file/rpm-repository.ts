import type { Plan } from '../plan/plan.ts';
import type { ImageFile } from './image-files.ts';
import { keyOfRepository, type RunFacts } from './run-facts.ts';

/**
 * A repository as dnf and tdnf have it, without the last line break.
 *
 * @param keyPath of the key that signs it, where that is not in RPM's database already.
 */
export function describeRpmRepository(id: string, url: string, keyPath?: string): string {
  const key = keyPath === undefined ? [] : [`gpgkey=file://${keyPath}`];
  return [`[${id}]`, `name=${id}`, `baseurl=${url}`, 'enabled=1', 'gpgcheck=1', ...key].join('\n');
}

/** Where the image has a repository's file. */
export function rpmRepositoryPath(name: string): string {
  return `/etc/yum.repos.d/${name}.repo`;
}

/** The recipe's repositories as the image has them, with their keys; the seal writes their own addresses. */
export function makeRpmRepositoryFiles({ recipe }: Pick<Plan, 'recipe'>, run: RunFacts): readonly ImageFile[] {
  return recipe.repositories.flatMap((repository): ImageFile[] => {
    const { name } = repository;
    const keyPath = `/etc/pki/rpm-gpg/RPM-GPG-KEY-${name}`;
    const content = describeRpmRepository(name, `${run.guestRoot}/repository-${name}`, keyPath);
    return [
      { path: keyPath, mode: '644', content: keyOfRepository(repository, run).trimEnd() },
      { path: rpmRepositoryPath(name), mode: '644', content },
    ];
  });
}
