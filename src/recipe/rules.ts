import { checkNetwork } from './network-rule.ts';
import { formatPath, type Path } from './path.ts';
import { findPathObstacle } from './sealed-files.ts';
import { isSystemName } from './system-names.ts';
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
  { name: 'files-stay', check: checkFilePaths },
  { name: 'network-is-whole', check: checkNetwork },
  { name: 'fetched-iso-has-digest', check: checkIsoDigest },
];

function checkIsoDigest(data: unknown): RecipeIssue[] {
  if (select(data, 'installer.sha256').length > 0) return [];
  return select(data, 'installer.iso')
    .filter(({ value }) => typeof value === 'string' && /^https?:/.test(value))
    .map(({ path }) => ({
      path,
      message: 'must have the sha256 of an ISO that is fetched by URL',
      hint: 'Add installer.sha256, or --set installer.sha256=…',
    }));
}

function checkFilePaths(data: unknown): RecipeIssue[] {
  return select(data, 'provision[*].files[*]').flatMap((file) => {
    const [path] = select(file.value, 'path');
    const [content] = select(file.value, 'content');
    const obstacle = typeof path?.value === 'string' ? findPathObstacle(path.value, content?.value) : undefined;
    return obstacle === undefined ? [] : [{ path: [...file.path, 'path'], ...obstacle }];
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
  const first = new Map<string, Found>();
  return select(data, 'provision[*].sysctls.{*}').flatMap((found) => {
    const name = kernelPath(String(found.path.at(-1)));
    const earlier = first.get(name);
    first.set(name, earlier ?? found);
    if (!earlier || String(earlier.value).trim() === String(found.value).trim()) return [];
    return [{ path: found.path, message: `has another value at ${formatPath(earlier.path)}: ${show(earlier.value)}` }];
  });
}

/** `net/ipv4/ip_forward`: as sysctl reads a name, where the first separator says which of the two is meant (sysctl.d(5)). */
function kernelPath(name: string): string {
  const isPath = /[./]/.exec(name)?.[0] === '/';
  return isPath ? name : name.replace(/[./]/g, (separator) => (separator === '.' ? '/' : '.'));
}

function checkServices(data: unknown): RecipeIssue[] {
  const units = select(data, 'provision[*].services.enable[*]');
  const enabled = new Map(units.map(({ path, value }) => [fullUnitName(value), path]));
  const stopped = ['disable', 'mask'].flatMap((verb) => select(data, `provision[*].services.${verb}[*]`));
  return stopped.flatMap(({ path, value }) => {
    const other = enabled.get(fullUnitName(value));
    return other ? [{ path, message: `${show(value)} is enabled at ${formatPath(other)}` }] : [];
  });
}

/** systemctl takes a name without the suffix of a kind of unit for that of a service. */
function fullUnitName(name: unknown): unknown {
  const kinds = /\.(service|socket|device|mount|automount|swap|target|path|timer|slice|scope)$/;
  return typeof name !== 'string' || kinds.test(name) ? name : `${name}.service`;
}

function checkUserNames(data: unknown): RecipeIssue[] {
  return select(data, 'users[*].name')
    .filter(({ value }) => typeof value === 'string' && isSystemName(value))
    .map(({ path, value }) => ({
      path,
      message: `${show(value)} is a user or group of the system, choose another name`,
    }));
}

function show(value: unknown): string {
  return JSON.stringify(value) ?? String(value);
}
