import { fileURLToPath } from 'node:url';

/** The folder that holds `distros/`, `preseed/` and package.json; this file is one level below it, in src and in dist. */
export const packageRoot = fileURLToPath(new URL('..', import.meta.url));
