import { formatPath, type Path } from './path.ts';
import type { RecipeIssue } from './validate.ts';

/** What a recipe must keep that no single value shows. Rules look at data of any shape, and pass over what is no recipe. */
export interface RecipeRule {
  readonly name: string;
  readonly check: (data: unknown) => readonly RecipeIssue[];
}

interface Found {
  readonly path: Path;
  readonly value: unknown;
}

export const recipeRules: readonly RecipeRule[] = [
  unique('users-once', 'users[*].name'),
  unique('repositories-once', 'repositories[*].name'),
  unique('volumes-once', 'disk.volumes[*].path'),
  unique('files-once', 'provision[*].files[*].path'),
  uniqueWithin('packages-once', 'packages', '[*]'),
  uniqueWithin('step-packages-once', 'provision[*].packages', '[*]'),
  uniqueWithin('ssh-keys-once', 'users[*].sshKeys', '[*]'),
  uniqueWithin('groups-once', 'users[*].groups', '[*]'),
  uniqueWithin('formats-once', 'formats', '[*]'),
  { name: 'sysctls-agree', check: checkSysctls },
  { name: 'services-agree', check: checkServices },
  { name: 'users-are-new', check: checkUserNames },
  { name: 'files-not-of-the-seal', check: checkFilePaths },
];

/** Files that the seal writes or empties last of all, with the setting that says the same. */
const sealedFiles: Readonly<Record<string, string>> = {
  '/etc/hostname': 'hostname',
  '/etc/hosts': 'hostname',
  '/etc/machine-id': 'nothing: each clone makes its own',
  '/etc/apt/sources.list': 'imageMirror, or a file in /etc/apt/sources.list.d',
  '/etc/apt/sources.list.d/debian.sources': 'imageMirror and imageSecurityMirror',
};

function checkFilePaths(data: unknown): RecipeIssue[] {
  return select(data, 'provision[*].files[*].path').flatMap(({ path, value }) => {
    const instead = typeof value === 'string' ? sealedFiles[value] : undefined;
    return instead === undefined
      ? []
      : [{ path, message: `${value} is written when the image is sealed; use ${instead}` }];
  });
}

/** Everything in `data` at a pattern such as `users[*].name`. */
export function select(data: unknown, pattern: string): readonly Found[] {
  const segments = pattern.split(/\.|(?=\[)/).filter((segment) => segment !== '');
  return segments.reduce<readonly Found[]>(
    (found, segment) => found.flatMap((item) => children(item, segment)),
    [{ path: [], value: data }],
  );
}

function children({ path, value }: Found, segment: string): readonly Found[] {
  if (segment === '[*]') {
    return Array.isArray(value) ? value.map((child, index) => ({ path: [...path, index], value: child })) : [];
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [];
  if (segment === '{*}') return Object.entries(value).map(([key, child]) => ({ path: [...path, key], value: child }));
  return Object.hasOwn(value, segment)
    ? [{ path: [...path, segment], value: (value as Record<string, unknown>)[segment] }]
    : [];
}

function unique(name: string, pattern: string): RecipeRule {
  return { name, check: (data) => repeats(select(data, pattern)) };
}

/** Unique in each list at `pattern`, not across lists. */
function uniqueWithin(name: string, pattern: string, member: string): RecipeRule {
  return {
    name,
    check: (data) => select(data, pattern).flatMap(({ path, value }) => repeatsBelow(path, value, member)),
  };
}

function repeatsBelow(path: Path, value: unknown, member: string): RecipeIssue[] {
  return repeats(select(value, member).map((found) => ({ ...found, path: [...path, ...found.path] })));
}

function repeats(found: readonly Found[]): RecipeIssue[] {
  const first = new Map<unknown, Path>();
  return found.flatMap(({ path, value }) => {
    const earlier = first.get(value);
    first.set(value, earlier ?? path);
    return earlier ? [{ path, message: `${show(value)} is at ${formatPath(earlier)} already` }] : [];
  });
}

function checkSysctls(data: unknown): RecipeIssue[] {
  const first = new Map<string | number | undefined, Found>();
  return select(data, 'provision[*].sysctls.{*}').flatMap((found) => {
    const name = found.path.at(-1);
    const earlier = first.get(name);
    first.set(name, earlier ?? found);
    if (!earlier || String(earlier.value) === String(found.value)) return [];
    return [{ path: found.path, message: `has another value at ${formatPath(earlier.path)}: ${show(earlier.value)}` }];
  });
}

function checkServices(data: unknown): RecipeIssue[] {
  const enabled = new Map(select(data, 'provision[*].services.enable[*]').map(({ path, value }) => [value, path]));
  const stopped = ['disable', 'mask'].flatMap((verb) => select(data, `provision[*].services.${verb}[*]`));
  return stopped.flatMap(({ path, value }) => {
    const other = enabled.get(value);
    return other ? [{ path, message: `${show(value)} is enabled at ${formatPath(other)}` }] : [];
  });
}

function checkUserNames(data: unknown): RecipeIssue[] {
  const taken = ['root', 'daemon', 'bin', 'sys', 'nobody', 'sshd', 'kvmimg-build'];
  return select(data, 'users[*].name')
    .filter(({ value }) => typeof value === 'string' && taken.includes(value))
    .map(({ path, value }) => ({ path, message: `${show(value)} is a user of the system, choose another name` }));
}

function show(value: unknown): string {
  return JSON.stringify(value) ?? String(value);
}
