import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { templatesDir } from '../package-root.ts';

/** Makes of a value what stands for exactly that value in the format of the template. */
export type Quote = (value: string, name: string) => string;

/**
 * Puts values in the place of each `{{name}}`, every one through `quote`. A name without a value, and a value without
 * its name, are mistakes of ours.
 */
export function fillTemplate(text: string, values: Readonly<Record<string, string>>, quote: Quote): string {
  const unused = new Set(Object.keys(values));
  const filled = text.replace(/\{\{(\w+)\}\}/g, (_, name: string) => {
    const value = values[name];
    if (value === undefined) throw new Error(`The template asks for {{${name}}}, which has no value.`);
    unused.delete(name);
    return quote(value, name);
  });
  if (unused.size > 0) throw new Error(`The template has no {{${[...unused].join('}}, {{')}}}.`);
  return filled;
}

/** Reads a template: `preseed/debian.cfg`. */
export async function readTemplate(path: string): Promise<string> {
  return readFile(join(templatesDir, path), 'utf8');
}
