import type { Plan } from '../../plan/plan.ts';

/** Extended regular expression for the guest's root of this or an earlier build. */
export const buildAddress = 'http://[0-9.]+:[0-9]+/[0-9a-f]{32}';

/** Lines that give the repositories of the recipe their public addresses in these files. */
export function publishRepositories({ recipe }: Plan, files: string): string {
  return recipe.repositories
    .map(({ name, url }) => `sed -i -E 's#${buildAddress}/repository-${name}([/ ]|$)#${url}\\1#' ${files}\n`)
    .join('');
}
