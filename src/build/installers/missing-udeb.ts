import { KvmimgError } from '../../errors.ts';

/**
 * The failure of a file that a mirror does not have although its index names it, for such as the installer cannot do
 * without: a component of Debian's installer (udeb). Undefined for others, which are often asked for in vain. d-i itself
 * would try for minutes and then stop with a question that names neither file nor status.
 *
 * @param missing the file's URL on the mirror, and what the mirror answered.
 */
export function findMissingUdeb({
  url,
  status,
}: {
  readonly url: string;
  readonly status: number;
}): KvmimgError | undefined {
  const name = /\/pool\/.*\/([^/]+\.udeb)$/.exec(url)?.[1];
  if (name === undefined) return undefined;
  return new KvmimgError({
    code: 'udeb-missing',
    message: `The installer needs its component ${name}, and the mirror does not have it: ${url} answers ${status}.`,
    hint:
      'The mirror is incomplete or in the middle of an update, for its own index names the file. ' +
      'Try later, or name another mirror with --mirror (`mirror` in the recipe).',
  });
}
