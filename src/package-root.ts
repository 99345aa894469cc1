import { readFileSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder that holds `distros/`, `preseed/` and package.json; this file is one level below it, in src and in dist. */
export const packageRoot = fileURLToPath(new URL('..', import.meta.url));

/** Where the templates of answer files are: kvmimg's own, or a folder of the user's whose folders stand in for them. */
export const templatesDir = resolve(process.env.KVMIMG_TEMPLATES_DIR || packageRoot);

/** The folder of a family's templates, such as `preseed`: the user's, if there is one of that name, else kvmimg's. */
export function templateFolder(name: string): string {
  const own = join(templatesDir, name);
  return isFolder(own) ? own : join(packageRoot, name);
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

/** kvmimg's own version, from its package.json. */
export function readPackageVersion(): string {
  const { version } = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')) as { version: string };
  return version;
}
