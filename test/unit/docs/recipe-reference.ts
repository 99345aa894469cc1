import { z } from 'zod';
import { recipeFileFields, recipeSchema } from '../../../src/recipe/schema.ts';
import { unwrap } from '../../../src/recipe/schema-tree.ts';
import { exampleKey } from '../example-ssh-key.ts';
import { elementRulesOf, rulesOf } from './schema-rules.ts';

/** The JSON Schema of a recipe as its author writes it. Flags are the command line's, not the schema's. */
export function makeRecipeJsonSchema(): string {
  const schema = z.toJSONSchema(recipeSchema, {
    io: 'input',
    override: ({ jsonSchema }) => {
      delete jsonSchema.flag;
      delete jsonSchema.file;
      if (jsonSchema.example === undefined) return;
      jsonSchema.examples = [jsonSchema.example];
      delete jsonSchema.example;
    },
  });
  return `${JSON.stringify({ title: 'kvmimg recipe', ...schema }, undefined, 2)}\n`;
}

/** `docs/recipe.md`: every setting, from the schema. */
export function makeRecipeReference(): string {
  return `# Recipe

A recipe says what image to build: a YAML file given to \`kvmimg build\`, or just a distro's name. Every setting can be given on
the command line as well: \`--set disk.size=20GiB\`, \`--set hostname=web\`, \`--set 'packages=[curl, jq]'\`; what is said there comes
before what the file says. Editors can check a recipe by [recipe.schema.json](recipe.schema.json).

\`\`\`yaml
distro: debian-13
name: web-node
disk: { size: 20GiB }
users:
  - name: ops
    sshKeys: [${exampleKey}]
provision:
  - packages: [nginx]
  - files:
      - { path: /etc/motd, content: "Built by kvmimg\\n" }
  - services: { enable: [nginx.service] }
  - scripts:
      - run: nginx -t
    timeout: 10m
formats: [qcow2, ova]
\`\`\`

A quantity is a size or a duration. Sizes are \`8GiB\`, \`512M\` or a number of bytes, in binary units however they are spelled (\`8GB\`
is \`8GiB\`); durations \`90s\`, \`10m\`, \`2h\`, \`7d\` or a number of milliseconds. A path in a recipe or in \`--set\` is relative to the
recipe (to the working directory where a distro's name stands for one); one that a flag gives (\`--iso\`, \`--answer-file\`) is relative
to the working directory. A recipe is no place for secrets: the plan and the manifest of the build hold it.

A matrix makes several images of one recipe, here four, \`web-debian-12-8GiB\` first:

\`\`\`yaml
name: web
matrix:
  distro: [debian-12, debian-13]
  disk.size: [8GiB, 20GiB]
\`\`\`

Its names are paths as for \`--set\`, or nested settings. An image is named after the recipe and its values; a value that is
longer than 40 characters or has no letter or digit is named by its position. A setting that \`--set\` or a flag gives drops out of
the matrix: \`--set distro=debian-13\` builds two images here. \`--set matrix.distro=[debian-13]\` does too, and leaves their names.

This page is made from src/recipe/schema.ts; a test holds the two together.

${makeTable(recipeFileFields, '').join('\n')}
`;
}

function makeTable(object: z.ZodObject, prefix: string): string[] {
  const heading = prefix === '' ? '## Settings' : `## \`${prefix}\``;
  const needed = z.globalRegistry.get(object)?.required;
  const isOptional = (name: string): boolean => Array.isArray(needed) && !needed.includes(name);
  const rows = Object.entries(object.shape).map(([name, schema]) => makeRow(name, schema, isOptional(name)));
  const rules = rulesOf(object).map((rule) => `${prefix.endsWith(']') ? 'Each' : 'It'} ${rule}.`);
  const nested = Object.entries(object.shape).flatMap(([name, schema]) => {
    const inner = innerObject(schema);
    const path = prefix === '' ? name : `${prefix}.${name}`;
    return inner === undefined ? [] : makeTable(inner, unwrap(schema) instanceof z.ZodArray ? `${path}[]` : path);
  });
  const preface = rules.length === 0 ? [] : [rules.join(' '), ''];
  return [
    heading,
    '',
    ...preface,
    '| setting | value | default | |',
    '| --- | --- | --- | --- |',
    ...rows,
    '',
    ...nested,
  ];
}

function makeRow(name: string, schema: z.core.$ZodType, isOptional: boolean): string {
  const meta = z.globalRegistry.get(schema) ?? {};
  const example =
    meta.example === undefined ? '' : ` Example: \`${JSON.stringify(meta.example).replace(/^"(.*)"$/, '$1')}\``;
  const flag = meta.flag === undefined ? '' : ` Flag: \`${meta.flag}\``;
  const cells = [
    `\`${name}\``,
    describeKind(unwrap(schema)),
    describeDefault(schema, isOptional),
    `${meta.description ?? ''}${describeRules(schema)}${example}${flag}`,
  ];
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}

function describeKind(schema: z.core.$ZodType): string {
  if (schema instanceof z.ZodEnum) return schema.options.map((option) => `\`${option}\``).join(', ');
  if (schema instanceof z.ZodArray) {
    const item = unwrap(schema.element);
    const kind = item instanceof z.ZodEnum ? `list of ${describeKind(item)}` : 'list';
    return schema.def.checks?.some(isMinimum) ? `${kind}, at least one` : kind;
  }
  if (schema instanceof z.ZodObject || schema instanceof z.ZodRecord) return 'settings';
  if (schema instanceof z.ZodBoolean) return 'true or false';
  if (schema instanceof z.ZodNumber) return describeNumber(schema);
  if (schema instanceof z.ZodLiteral) return [...schema.values].map((value) => `\`${value}\``).join(', ');
  return schema instanceof z.ZodUnion ? describeUnion(schema) : 'text';
}

function isMinimum(check: z.core.$ZodCheck): boolean {
  return check instanceof z.core.$ZodCheckMinLength && check._zod.def.minimum === 1;
}

function describeNumber({ minValue, maxValue }: z.ZodNumber): string {
  const isBounded = minValue !== null && maxValue !== null && maxValue < Number.MAX_SAFE_INTEGER;
  return isBounded ? `number, ${minValue} to ${maxValue}` : 'number';
}

/** Text or a number is a quantity; options of one kind are told once. */
function describeUnion({ options }: z.ZodUnion): string {
  const kinds = [...new Set(options.map((option) => describeKind(unwrap(option))))];
  return kinds.join() === 'text,number' ? 'quantity' : kinds.join(' or ');
}

/** As its author would write it. */
function describeDefault(schema: z.core.$ZodType, isOptional: boolean): string {
  if (schema instanceof z.ZodPrefault && !(unwrap(schema) instanceof z.ZodObject))
    return `\`${schema.def.defaultValue}\``;
  if (schema instanceof z.ZodPrefault || schema instanceof z.ZodOptional) return '';
  if (!(schema instanceof z.ZodDefault)) return isOptional ? '' : 'required';
  const value = schema.def.defaultValue;
  if (Array.isArray(value)) return value.length === 0 ? 'none' : `\`${value.join(', ')}\``;
  return `\`${String(value)}\``;
}

function describeRules(schema: z.core.$ZodType): string {
  // Those of an object stand above its table.
  const own = innerObject(schema) === undefined ? rulesOf(schema) : [];
  return `${makeSentence('It', own)}${makeSentence('Each', elementRulesOf(schema))}`;
}

/** ` It must be at least 1s; at most 24d.` */
function makeSentence(subject: string, [first, ...rest]: readonly string[]): string {
  if (first === undefined) return '';
  return ` ${subject} ${[first, ...rest.map((rule) => rule.replace(/^must be /, ''))].join('; ')}.`;
}

function innerObject(schema: z.core.$ZodType): z.ZodObject | undefined {
  const inner = unwrap(schema);
  if (inner instanceof z.ZodArray) return innerObject(inner.element);
  if (inner instanceof z.ZodUnion) return inner.options.map(innerObject).find((option) => option !== undefined);
  return inner instanceof z.ZodObject ? inner : undefined;
}
