import { type Command, Option } from 'commander';
import { z } from 'zod';
import { findCacheDir } from '../host/cache-dir.ts';
import { openDigestMemory } from '../media/digest-memory.ts';
import type { RecipeRequest } from '../recipe/load.ts';
import type { Override } from '../recipe/overrides.ts';
import type { Path } from '../recipe/path.ts';
import { recipeFields } from '../recipe/schema.ts';
import { unwrap } from '../recipe/schema-tree.ts';
import { digestFile, namesFile, resolveFile } from '../recipe/sources.ts';
import type { CommandContext } from './command-context.ts';

/** A setting of the recipe that has a flag of its own. */
interface RecipeFlag {
  readonly path: Path;
  readonly option: Option;
  readonly isList: boolean;
  /** A file on this machine: on the command line relative to the working directory. */
  readonly isFile: boolean;
}

/** The values of the flags as commander gives them. */
export interface RecipeFlagValues {
  readonly set?: readonly string[];
  readonly [flag: string]: unknown;
}

/** Gives a command the flags that the recipe's schema declares, and `--set` for every other setting. */
export function addRecipeFlags(command: Command): void {
  for (const { option } of recipeFlags()) command.addOption(option);
  addSetFlag(command);
}

export function addSetFlag(command: Command): void {
  command.option('--set <path=value>', 'one setting of the recipe, the value in YAML; may be repeated', collect);
}

/** What the flags say about the recipe. An ISO or image that an earlier build has read is not read again. */
export function makeRecipeRequest(
  subject: string,
  values: RecipeFlagValues,
  { cwd, env }: Pick<CommandContext, 'cwd' | 'env'>,
): RecipeRequest {
  const memory = openDigestMemory(findCacheDir(env));
  const flags = recipeFlags().flatMap(({ path, option, isList, isFile }): Override[] => {
    const text = values[option.attributeName()];
    if (typeof text !== 'string') return [];
    const word = isFile && namesFile(text) ? (resolveFile(cwd, text) ?? text) : text;
    const value = isList ? text.split(',').map((part) => part.trim()) : word;
    return [{ path, value, place: option.long ?? option.flags }];
  });
  return {
    subject,
    flags,
    sets: values.set ?? [],
    cwd,
    digestFile: async (path) => (await memory.find(path, 'sha256')) ?? digestFile(path),
  };
}

/** For flags that may be repeated. */
export function collect(value: string, previous: readonly string[] | undefined): readonly string[] {
  return [...(previous ?? []), value];
}

function recipeFlags(fields: z.ZodObject = recipeFields, folder: Path = []): RecipeFlag[] {
  return Object.entries(fields.shape as Readonly<Record<string, z.ZodType>>).flatMap(([setting, schema]) => {
    const path = [...folder, setting];
    const { flag, file } = schema.meta() ?? {};
    const inner = unwrap(schema);
    const below = inner instanceof z.ZodObject ? recipeFlags(inner, path) : [];
    if (typeof flag !== 'string') return below;
    const option = new Option(flag, describeFlag(schema));
    return [{ path, option, isList: inner instanceof z.ZodArray, isFile: file === true }, ...below];
  });
}

/** The setting's description, with what it can be and what it is by default. */
function describeFlag(schema: z.ZodType): string {
  const inner = unwrap(schema);
  const isList = inner instanceof z.ZodArray;
  const item = isList ? unwrap(inner.element) : inner;
  const choices =
    item instanceof z.ZodEnum ? [`${isList ? 'comma-separated' : 'choices'}: ${item.options.join(', ')}`] : [];
  // As commander's own help has it: no capital at the start, no full stop at the end.
  const text = (schema.meta()?.description ?? '')
    .replace(/\.$/, '')
    .replace(/^[A-Z](?=[a-z])/, (letter) => letter.toLowerCase());
  // A default that depends on other settings is told by the description: among choices it has its place.
  const [description = '', toldDefault] = choices.length > 0 ? text.split('. Default: ') : [text];
  const defaultValue = schema instanceof z.ZodDefault ? String(schema.def.defaultValue) : toldDefault;
  const details = [...choices, ...(defaultValue === undefined ? [] : [`default: ${defaultValue}`])].join('; ');
  return details === '' ? description : `${description} (${details})`;
}
