import type { z } from 'zod';
import type { Problem } from '../errors.ts';
import { findClosestName, suggestName } from '../suggestion.ts';
import { findValue, formatPath, type Path } from './path.ts';
import { recipeRules } from './rules.ts';
import { type RecipeSettings, recipeFileFields, recipeSchema } from './schema.ts';
import { settingNamesAt } from './schema-tree.ts';
import { findKeyHint, findValueHint } from './value-hints.ts';

/** Something wrong at a path of the recipe; `load` knows which line of which file that is. */
export interface RecipeIssue {
  readonly path: Path;
  readonly message: string;
  readonly hint?: string;
  /** Whether the name at `path` is wrong, not its value. */
  readonly at?: 'key';
}

const kindNames: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'settings (`name: value`)',
  record: 'settings (`name: value`)',
};

/** The recipe with its defaults, or everything that is wrong with the data; it never throws. */
export function validateRecipe(
  data: unknown,
): { readonly recipe: RecipeSettings } | { readonly issues: readonly RecipeIssue[] } {
  const parsed = recipeSchema.safeParse(data, { error: describeIssue });
  const shapeIssues = parsed.success
    ? []
    : firstOfEachPath(withoutConsequences(parsed.error.issues, data).flatMap((issue) => toIssues(issue, data)));
  const issues = [...shapeIssues, ...recipeRules.flatMap((rule) => rule.check(data))];
  return parsed.success && issues.length === 0 ? { recipe: parsed.data } : { issues };
}

/** That none of several settings is there says no more where the name of one may have been mistyped. */
function withoutConsequences(issues: readonly z.core.$ZodIssue[], data: unknown): readonly z.core.$ZodIssue[] {
  const mistyped = issues.filter(({ code }) => code === 'unrecognized_keys').map(({ path }) => path.join());
  return issues.filter((issue) => {
    const oneOf: unknown = issue.code === 'custom' ? issue.params?.oneOf : undefined;
    if (!Array.isArray(oneOf) || !mistyped.includes(issue.path.join())) return true;
    return oneOf.some((name) => findValue(data, [...pathOf(issue), name]) !== undefined);
  });
}

/** The problem list of the command line out of issues. */
export function toProblems(
  issues: readonly RecipeIssue[],
  placeOf: (path: Path, at?: 'key' | 'value') => string,
): Problem[] {
  return issues.map(({ path, message, hint, at }) => ({
    place: placeOf(path, at),
    message,
    ...(hint === undefined ? {} : { hint }),
  }));
}

/** Each problem once: the images of one recipe have most of theirs in common. */
export function distinctProblems(problems: readonly Problem[]): Problem[] {
  const byText = new Map<string, Problem>();
  for (const problem of problems) {
    const text = `${problem.place}: ${problem.message}`;
    if (!byText.has(text)) byText.set(text, problem);
  }
  return [...byText.values()];
}

/** In the words of a user of recipes, for what has no message of its own in the schema. */
function describeIssue(issue: z.core.$ZodRawIssue): string | undefined {
  switch (issue.code) {
    case 'invalid_type':
      return `must be ${kindNames[issue.expected] ?? issue.expected}`;
    case 'invalid_value':
      return `must be one of ${issue.values.join(', ')}`;
    case 'too_small':
      return describeLimit('at least', issue.origin, Number(issue.minimum) + (issue.inclusive === false ? 1 : 0));
    case 'too_big':
      return describeLimit('at most', issue.origin, Number(issue.maximum));
    default:
      return undefined;
  }
}

function describeLimit(limit: string, origin: string, count: number): string {
  if (origin === 'array') return `must have ${limit} ${count} ${count === 1 ? 'entry' : 'entries'}`;
  if (origin === 'string') return count === 1 ? 'must not be empty' : `must have ${limit} ${count} characters`;
  return `must be ${limit} ${count}`;
}

function toIssues(issue: z.core.$ZodIssue, data: unknown): RecipeIssue[] {
  const path = pathOf(issue);
  const branch = issue.code === 'invalid_union' && isMap(findValue(data, path)) ? branchOfMaps(issue) : undefined;
  if (branch) return branch.flatMap((inner) => toIssues({ ...inner, path: [...issue.path, ...inner.path] }, data));
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => unknownKey([...path, key]));
  if (issue.code === 'invalid_key') {
    return [{ path, message: issue.issues[0]?.message ?? 'must have another name', at: 'key' }];
  }
  const value = findValue(data, path);
  return [
    {
      path,
      message: describeMissing(issue, value) ?? `${issue.message}${seen(issue, value)}`,
      ...hintFor(issue, path, value),
    },
  ];
}

function pathOf({ path }: z.core.$ZodIssue): Path {
  return path.map((segment) => (typeof segment === 'symbol' ? String(segment) : segment));
}

/** What a message of the setting's own in the schema does not tell: that there is nothing. */
function describeMissing(issue: z.core.$ZodIssue, value: unknown): string | undefined {
  if (!isAboutKind(issue)) return undefined;
  return value === undefined ? 'is required' : value === null ? 'has no value' : undefined;
}

/** Whether a value is not of the kind that is wanted at all. */
function isAboutKind({ code }: z.core.$ZodIssue): boolean {
  return code === 'invalid_type' || code === 'invalid_union' || code === 'invalid_value';
}

/** What is wrong with a map by the one alternative that takes maps. */
function branchOfMaps({ errors }: z.core.$ZodIssueInvalidUnion): readonly z.core.$ZodIssue[] | undefined {
  return errors.find((issues) => !issues.some((issue) => issue.path.length === 0 && isAboutKind(issue)));
}

function isMap(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function unknownKey(path: Path): RecipeIssue {
  const parent = path.slice(0, -1);
  const typed = String(path.at(-1));
  const known = settingNamesAt(recipeFileFields, parent);
  const closest = findClosestName(typed, known);
  // The whole path, as --set wants it.
  const meant = closest === undefined ? suggestName(typed, known) : `Did you mean ${formatPath([...parent, closest])}?`;
  return { path, message: 'is not a setting', hint: findKeyHint(path) ?? meant, at: 'key' };
}

/** `, not "x86"`: the value seen, where it is short and the message does not tell it. */
function seen(issue: z.core.$ZodIssue, value: unknown): string {
  if (Array.isArray(value)) return isAboutKind(issue) ? ', not a list' : '';
  if (isMap(value)) return isAboutKind(issue) ? ', not settings' : '';
  if (value === undefined || value === null) return '';
  const text = JSON.stringify(value);
  return `, not ${text.length > 60 ? `${text.slice(0, 60)}...` : text}`;
}

function hintFor(issue: z.core.$ZodIssue, path: Path, value: unknown): { readonly hint?: string } {
  const known = findValueHint(path, value) ?? findListHint(issue, path, value);
  if (known !== undefined) return { hint: known };
  if (issue.code === 'custom' && typeof issue.params?.hint === 'string') return { hint: issue.params.hint };
  if (issue.code === 'invalid_value' && typeof value === 'string') {
    const hint = suggestName(value, issue.values.map(String));
    return hint.startsWith('Did') ? { hint } : {};
  }
  // YAML makes numbers and booleans of what has no quotes: `mode: 0644`, `name: 13`, `- yes`.
  const isUnquoted =
    issue.code === 'invalid_type' && issue.expected === 'string' && ['number', 'boolean'].includes(typeof value);
  return isUnquoted ? { hint: 'Put it in quotes.' } : {};
}

/** Of lists of words: one word in place of a list, as in a matrix whose values must be lists themselves. */
function findListHint(issue: z.core.$ZodIssue, path: Path, value: unknown): string | undefined {
  const isWord = issue.code === 'invalid_type' && issue.expected === 'array' && typeof value === 'string';
  return isWord && settingNamesAt(recipeFileFields, [...path, 0]).length === 0 ? `Write [${value}].` : undefined;
}

function firstOfEachPath(issues: readonly RecipeIssue[]): RecipeIssue[] {
  const byPath = new Map<string, RecipeIssue>();
  for (const issue of issues) {
    const key = `${formatPath(issue.path)} ${issue.at}`;
    if (!byPath.has(key)) byPath.set(key, issue);
  }
  return [...byPath.values()];
}
