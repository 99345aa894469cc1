import type { Override } from './overrides.ts';
import { findValue, formatPath, isWithin, type Path, parsePath } from './path.ts';
import type { RecipeIssue } from './validate.ts';

/** More images than this out of one recipe are a slip of the pen. */
const variantLimit = 64;
/** No setting is deeper; a YAML alias to what is around it would have no end. */
const depthLimit = 10;
/** What is longer tells nobody anything in the name of a file. */
const slugLengthLimit = 40;
/** As the recipe's schema has it. */
const nameLengthLimit = 100;
/** Of an issue with a name in the matrix, not its value. */
const at = 'key';

/** A setting that a recipe's matrix gives several values. */
export interface Axis {
  /** The setting. */
  readonly path: Path;
  /** Where its values are in the recipe: `matrix["disk.size"]`. */
  readonly source: Path;
  readonly values: readonly unknown[];
}

/** One value of an axis. */
export interface Choice {
  readonly axis: Axis;
  readonly index: number;
  readonly value: unknown;
}

/** One value of each axis: what makes one image of a matrix differ from the others. */
export type Variant = readonly Choice[];

interface Axes {
  readonly axes: readonly Axis[];
  readonly issues: readonly RecipeIssue[];
}

/** The axes of a recipe's matrix, but for those whose setting the command line sets, and what is wrong with them. */
export function findAxes(matrix: unknown, overrides: readonly Override[]): Axes {
  if (matrix === undefined) return { axes: [], issues: [] };
  const { axes, issues } = axesBelow(matrix, ['matrix'], []);
  return {
    axes: axes.filter((axis) => !overrides.some((override) => isWithin(axis.path, override.path))),
    issues: [...issues, ...findOverlaps(axes)],
  };
}

/** Every combination of the axes' values, the last axis changing first; of too many, or in doubt, just the first. */
export function makeVariants({ axes, issues }: Axes): {
  readonly variants: readonly Variant[];
  readonly issues: readonly RecipeIssue[];
} {
  const count = axes.reduce((product, { values }) => product * values.length, 1);
  const message = `makes ${count} images, at most ${variantLimit} are allowed`;
  const allIssues: RecipeIssue[] = [
    ...issues,
    ...(count > variantLimit ? [{ path: ['matrix'], message, at } as const] : []),
  ];
  const usable = allIssues.length === 0 ? axes : axes.map((axis) => ({ ...axis, values: axis.values.slice(0, 1) }));
  const variants = usable.reduce<readonly Variant[]>(
    (found, axis) =>
      found.flatMap((choices) => axis.values.map((value, index) => [...choices, { axis, index, value }])),
    [[]],
  );
  return { variants, issues: allIssues };
}

/** The variant's values as settings; one that cannot go in is the fault of its name. */
export function makeOverrides(variant: Variant, placeOf: (path: Path, at: 'key') => string): Override[] {
  return variant.map(({ axis, value }) => ({ path: axis.path, value, place: placeOf(axis.source, 'key') }));
}

/** Where in the recipe the setting at `path` was said: in the matrix, where that is what set it. */
export function findSource(asked: {
  /** What the recipe says beside the matrix. */
  readonly data: unknown;
  readonly variant: Variant;
  readonly path: Path;
  readonly at: 'key' | 'value' | undefined;
}): Path {
  const { data, variant, path, at } = asked;
  const choice = variant.find(({ axis }) => isWithin(path, axis.path));
  if (choice) {
    const { axis, index } = choice;
    const isAxis = path.length === axis.path.length;
    return isAxis && at === 'key' ? axis.source : [...axis.source, index, ...path.slice(axis.path.length)];
  }
  // Something that only the matrix speaks of, such as the `dsk` of `dsk.size`.
  const maker = findValue(data, path) === undefined && variant.find(({ axis }) => isWithin(axis.path, path));
  return maker && path.length > 0 ? maker.axis.source : path;
}

/**
 * `web-debian-13-8GiB`: the recipe's name and the variant's values. A matrix that sets the name itself, or the distro
 * that the recipe is named after, has its value in there already.
 */
export function nameVariant(data: unknown, variant: Variant): string {
  const name = findValue(data, ['name']);
  const told = name === undefined ? 'distro' : 'name';
  const slugs = variant.filter(({ axis }) => formatPath(axis.path) !== told).map(makeSlug);
  return [String(name ?? findValue(data, ['distro'])), ...slugs].join('-');
}

/** The name of a variant can be too long although the recipe's own is right. */
export function checkName(name: string, variant: Variant): RecipeIssue[] {
  if (variant.length === 0 || name.length <= nameLengthLimit) return [];
  const message = `makes the name ${name} of ${name.length} characters, at most ${nameLengthLimit} are allowed`;
  return [{ path: ['matrix'], message, at }];
}

/** Issues for variants that would write the same files, each at the value that makes the difference. */
export function findSameNames(named: readonly { readonly name: string; readonly variant: Variant }[]): RecipeIssue[] {
  const first = new Map<string, Variant>();
  return named.flatMap(({ name, variant }): RecipeIssue[] => {
    const earlier = first.get(name);
    first.set(name, earlier ?? variant);
    if (!earlier) return [];
    const choice = variant.find(({ index }, position) => earlier[position]?.index !== index);
    const path = choice ? [...choice.axis.source, choice.index] : ['matrix'];
    const message = `makes a second image named ${name}: ${describe(variant)}, like ${describe(earlier)}`;
    return [{ path, message, hint: 'Names are made of the values: spell one otherwise.' }];
  });
}

/** `matrix.distro[0] and matrix.locale[2]`: the values of a variant by their places. */
function describe(variant: Variant): string {
  return variant.map(({ axis, index }) => formatPath([...axis.source, index])).join(' and ');
}

function axesBelow(value: unknown, source: Path, path: Path): Axes {
  const wrong = (message: string): RecipeIssue[] => [{ path: source, message }];
  if (path.length > depthLimit) return { axes: [], issues: wrong('is too deep') };
  if (value === null) return { axes: [], issues: wrong('has no value') };
  if (typeof value === 'object' && !Array.isArray(value)) return axesOfSettings(value, source, path);
  if (path.length === 0) return { axes: [], issues: wrong('must be settings (`disk.size: [8GiB, 20GiB]`)') };
  // One value in place of a list is looked at as a list of it, so that nothing else seems to be missing.
  if (!Array.isArray(value)) return { axes: [{ path, source, values: [value] }], issues: wrong('must be a list') };
  if (value.length === 0) return { axes: [], issues: wrong('must have at least 1 entry') };
  return { axes: [{ path, source, values: value }], issues: [] };
}

function axesOfSettings(settings: object, source: Path, path: Path): Axes {
  const entries = Object.entries(settings);
  if (entries.length === 0) return { axes: [], issues: [{ path: source, message: 'must name at least one setting' }] };
  const found = entries.map(([key, value]): Axes => {
    const keySource = [...source, key];
    const keyPath = parsePath(key);
    const wrong = (message: string, hint: string): Axes => ({
      axes: [],
      issues: [{ path: keySource, message, hint, at }],
    });
    if (!keyPath) return wrong('is no path of a setting', 'Such as disk.size or users[0].name');
    if (path.length === 0 && keyPath[0] === 'matrix') return wrong('cannot be in a matrix', 'Put its axes here.');
    return axesBelow(value, keySource, [...path, ...keyPath]);
  });
  return { axes: found.flatMap(({ axes }) => axes), issues: found.flatMap(({ issues }) => issues) };
}

/** Two axes of one setting, or of a setting and a part of it: the later one would undo the earlier. */
function findOverlaps(axes: readonly Axis[]): RecipeIssue[] {
  return axes.flatMap(({ path, source }, index) => {
    const other = axes.slice(0, index).find((one) => isWithin(path, one.path) || isWithin(one.path, path));
    return other ? [{ path: source, message: `sets what ${formatPath(other.source)} sets`, at }] : [];
  });
}

function makeSlug({ value, index }: Choice): string {
  const slug = wordsOf(value)
    .join('-')
    .replace(/[^A-Za-z0-9._-]+/g, '-')
    .replace(/^-+|-+$/g, '');
  return slug === '' || slug.length > slugLengthLimit ? String(index + 1) : slug;
}

function wordsOf(value: unknown, depth = 0): string[] {
  if (value === null || depth > 3) return [];
  if (Array.isArray(value)) return value.flatMap((item) => wordsOf(item, depth + 1));
  if (typeof value !== 'object') return [String(value)];
  return Object.entries(value).flatMap(([key, item]) => [key, ...wordsOf(item, depth + 1)]);
}
