import { readFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { KvmimgError, messageOf } from '../errors.ts';
import { templateFolder } from '../package-root.ts';

/** Makes of a value what stands for exactly that value in the format of the template. */
export type Quote = (value: string, name: string) => string;

/** Quotes every value but those of these names, which are lines of the format itself, quoted already. */
export function except(names: readonly string[], quote: Quote): Quote {
  return (value, name) => (names.includes(name) ? value : quote(value, name));
}

/**
 * Puts values in the place of each `{{name}}`, every one through `quote`.
 *
 * @throws KvmimgError `answer-file-template` for a name without a value, and a value without its name.
 */
export function fillTemplate(text: string, values: Readonly<Record<string, string>>, quote: Quote): string {
  const unused = new Set(Object.keys(values));
  const filled = text.replace(/\{\{(\w+)\}\}/g, (_, name: string) => {
    const value = values[name];
    if (value === undefined) throw wrongTemplate(`asks for {{${name}}}, which has no value`);
    unused.delete(name);
    return quote(value, name);
  });
  if (unused.size > 0) throw wrongTemplate(`has no {{${[...unused].join('}}, {{')}}}`);
  return filled;
}

/** A template that is not kvmimg's own any more. @param what is wrong with it, as a clause. */
export function wrongTemplate(what: string): KvmimgError {
  return new KvmimgError({
    code: 'answer-file-template',
    message: `A template of the answer file ${what}.`,
    hint: "Templates come with kvmimg, or from the folder in KVMIMG_TEMPLATES_DIR. Compare yours with kvmimg's own.",
  });
}

/** Reads a template: `preseed/debian.cfg`. @throws KvmimgError `answer-file-template` */
export async function readTemplate(path: string): Promise<string> {
  const file = join(templateFolder(dirname(path)), basename(path));
  return readFile(file, 'utf8').catch((error) => {
    throw wrongTemplate(`cannot be read: ${messageOf(error)}`);
  });
}
