import { z } from 'zod';
import { unwrap } from '../../../src/recipe/schema-tree.ts';
import { line } from '../../../src/recipe/values.ts';

/** What a value must be, in the words of the problem that it would be otherwise: `must be at least 1s`. */
export function rulesOf(schema: z.core.$ZodType): string[] {
  // That a text has no control characters goes without saying, and of URLs there is more to say.
  const common = [...messagesOf(line), 'must be a URL'];
  return [...new Set(wrappersOf(schema).flatMap(messagesOf))].filter((rule) => !common.includes(rule));
}

/** Of a list, what each of its values must be; objects have a table of their own. */
export function elementRulesOf(schema: z.core.$ZodType): string[] {
  const list = unwrap(schema);
  if (!(list instanceof z.ZodArray) || unwrap(list.element) instanceof z.ZodObject) return [];
  return rulesOf(list.element);
}

/** The schema and those inside it, down to the one that says what kind of value it is. */
function wrappersOf(schema: z.core.$ZodType): z.core.$ZodType[] {
  const def = schema._zod.def as { readonly innerType?: z.core.$ZodType; readonly in?: z.core.$ZodType };
  const inner = def.innerType ?? def.in;
  return inner === undefined ? [schema] : [schema, ...wrappersOf(inner)];
}

function messagesOf(schema: z.core.$ZodType): string[] {
  const ownError = schema instanceof z.ZodStringFormat ? schema._zod.def.error : undefined;
  // The ends of a number are told with its kind.
  const checks = schema instanceof z.ZodNumber ? [] : (schema._zod.def.checks ?? []);
  const messages = [
    readMessage(ownError),
    ...checks.flatMap((check) => [readMessage(check._zod.def.error), ...probe(check)]),
  ];
  return messages.filter((message) => message !== undefined);
}

/** What a schema or check says, which is the same whatever the value is. */
function readMessage(error: z.core.$ZodErrorMap<never> | undefined): string | undefined {
  const message = error?.({ code: 'custom', input: undefined, path: [] } as never);
  return typeof message === 'string' ? message : undefined;
}

/** A check that adds its issues itself says them of nothing at all. */
function probe(check: z.core.$ZodCheck<never>): readonly (string | undefined)[] {
  const { def } = check._zod;
  if (def.check !== 'custom' || def.error) return [];
  const payload: z.core.ParsePayload = { value: {}, issues: [] };
  check._zod.check(payload as never);
  return payload.issues.map(({ message }) => message);
}
