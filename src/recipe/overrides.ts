import { parseDocument } from 'yaml';
import { messageOf, type Problem } from '../errors.ts';
import { findMistakes } from './document.ts';
import { formatPath, isWithin, type Path, parsePath } from './path.ts';

/** A value given on the command line, which comes before what the file says. */
export interface Override {
  readonly path: Path;
  readonly value: unknown;
  /** `--set disk.size`, `--format`. */
  readonly place: string;
  /** Whether it is YAML, in which a part has a place of its own. */
  readonly isSet?: boolean;
}

/** Where the command line says what is at `path`, by the last of the overrides that does: `--set disk.size`, `--format`. */
export function findPlace(overrides: readonly Override[], path: Path): string | undefined {
  const override = overrides.findLast((one) => isWithin(path, one.path));
  const isPart = override?.isSet === true && path.length > override.path.length;
  return isPart ? `--set ${formatPath(path)}` : override?.place;
}

/** Reads the argument of a `--set path=value`, whose value is YAML. */
export function parseSet(argument: string): { readonly override: Override } | { readonly problem: Problem } {
  const equals = argument.indexOf('=');
  const pathText = equals < 0 ? argument : argument.slice(0, equals);
  const place = `--set ${pathText}`;
  if (equals < 0) return { problem: { place, message: 'must be path=value', hint: 'Such as --set disk.size=20GiB' } };
  const path = parsePath(pathText);
  if (!path) {
    return { problem: { place, message: 'has no valid path', hint: 'Such as disk.size or users[0].name' } };
  }
  const parsed = parseDocument(argument.slice(equals + 1), { prettyErrors: false, merge: true });
  const mistake = findMistakes(parsed)[0];
  if (mistake) return { problem: { place, message: mistake.message } };
  try {
    return { override: { path, value: parsed.toJS(), place, isSet: true } };
  } catch (error) {
    // An alias of an anchor that is not there.
    return { problem: { place, message: `is not YAML: ${messageOf(error)}`, hint: 'Put it in quotes.' } };
  }
}

/** `data` with the overrides put in, later ones over earlier ones; where one cannot go in, a problem instead. */
export function applyOverrides(
  data: Readonly<Record<string, unknown>>,
  overrides: readonly Override[],
): { readonly data: unknown; readonly problems: readonly Problem[] } {
  const problems: Problem[] = [];
  let result: unknown = data;
  for (const override of overrides) {
    const outcome = withValue(result, override.path, override.value);
    if ('obstacle' in outcome) {
      problems.push({ place: override.place, message: outcome.obstacle });
    } else {
      result = outcome.data;
    }
  }
  return { data: result, problems };
}

type Outcome = { readonly data: unknown } | { readonly obstacle: string };

function withValue(data: unknown, path: Path, value: unknown, done: Path = []): Outcome {
  const [segment, ...rest] = path;
  if (segment === undefined) return { data: value };
  const container = data ?? (typeof segment === 'number' ? [] : {});
  if (typeof container !== 'object') return { obstacle: `${formatPath(done)} is a single value, it has no parts` };
  if (Array.isArray(container)) {
    if (typeof segment !== 'number')
      return { obstacle: `${formatPath(done)} is a list: say which entry, [0] or later` };
    if (segment > container.length) return { obstacle: `${formatPath(done)} has only ${container.length} entries` };
  } else if (typeof segment === 'number') {
    return { obstacle: `${formatPath(done)} is not a list` };
  }
  const child = Object.hasOwn(container, segment) ? (container as Record<string, unknown>)[segment] : undefined;
  const inner = withValue(child, rest, value, [...done, segment]);
  if ('obstacle' in inner) return inner;
  const copy: object = Array.isArray(container) ? [...container] : { ...container };
  // Not an assignment, which would give the object another prototype where the key is __proto__.
  Object.defineProperty(copy, segment, { value: inner.data, writable: true, enumerable: true, configurable: true });
  return { data: copy };
}
