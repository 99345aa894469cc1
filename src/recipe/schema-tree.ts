import { z } from 'zod';
import type { Path } from './path.ts';

/** The schema inside defaults, optionals and transforms. */
export function unwrap(schema: z.core.$ZodType): z.core.$ZodType {
  if (
    schema instanceof z.ZodDefault ||
    schema instanceof z.ZodPrefault ||
    schema instanceof z.ZodOptional ||
    schema instanceof z.ZodNullable
  ) {
    return unwrap(schema.def.innerType);
  }
  return schema instanceof z.ZodPipe ? unwrap(schema.def.in) : schema;
}

/** The names that are allowed in the mapping at `path`; empty where it is none, or takes any name. */
export function settingNamesAt(schema: z.core.$ZodType, path: Path): readonly string[] {
  let current = containerIn(schema);
  for (const segment of path) {
    if (current instanceof z.ZodObject) {
      const child: z.core.$ZodType | undefined = current.shape[segment];
      if (!child) return [];
      current = containerIn(child);
    } else if (current instanceof z.ZodArray) {
      current = containerIn(current.element);
    } else {
      return [];
    }
  }
  return current instanceof z.ZodObject ? Object.keys(current.shape) : [];
}

/** Where a setting is a word or a mapping, the mapping. */
function containerIn(schema: z.core.$ZodType): z.core.$ZodType {
  const inner = unwrap(schema);
  if (!(inner instanceof z.ZodUnion)) return inner;
  return inner.options.map(unwrap).find((option) => option instanceof z.ZodObject) ?? inner;
}
