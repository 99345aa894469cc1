import type { Recipe } from '../recipe/schema.ts';

type Repository = Recipe['repositories'][number];

/** A further repository as apt has it in the image; `key` is ASCII-armoured. */
export interface AptSource {
  readonly sourcePath: string;
  /** Deb822, without the last line break. */
  readonly source: string;
  readonly keyPath: string;
}

/**
 * @param url where the repository is reached: while building, that is kvmimg.
 * @param codename the suite of a repository that names none.
 */
export function makeAptSource({ name, suite, components }: Repository, url: string, codename: string): AptSource {
  const keyPath = `/etc/apt/keyrings/${name}.asc`;
  const flat = suite?.endsWith('/') === true;
  return {
    sourcePath: `/etc/apt/sources.list.d/${name}.sources`,
    source: [
      'Types: deb',
      `URIs: ${url}`,
      `Suites: ${suite ?? codename}`,
      // A suite that is a folder, with a slash at its end, has none (sources.list(5)).
      ...(flat ? [] : [`Components: ${components.join(' ')}`]),
      `Signed-By: ${keyPath}`,
    ].join('\n'),
    keyPath,
  };
}
