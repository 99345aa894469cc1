import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder that holds `distros/`, `preseed/` and package.json; this file is one level below it, in src and in dist. */
export const packageRoot = fileURLToPath(new URL('..', import.meta.url));

/** kvmimg's own version, from its package.json. */
export function readPackageVersion(): string {
  const { version } = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')) as { version: string };
  return version;
}
