import { resolve } from 'node:path';
import { InputError, type Problem } from '../errors.ts';
import { convertImage } from '../export/convert-image.ts';
import { type Format, formats } from '../recipe/schema.ts';
import { suggestName } from '../suggestion.ts';
import type { CommandContext, CommandStatus } from './command-context.ts';

export interface ConvertFlags {
  readonly format: string;
  readonly output: string;
  readonly name?: string;
  readonly force?: boolean;
}

/** `kvmimg convert`: formats from an existing disk image; the paths of the files on standard output. */
export async function convert(image: string, flags: ConvertFlags, context: CommandContext): Promise<CommandStatus> {
  const images = await convertImage(
    {
      source: resolve(context.cwd, image),
      formats: readFormats(flags.format),
      outputDir: resolve(context.cwd, flags.output),
      ...(flags.name === undefined ? {} : { name: flags.name }),
      force: flags.force ?? false,
    },
    { signal: context.signal },
  );
  for (const { path, warnings } of images) {
    for (const warning of warnings) context.output.log(`warning: ${warning}`);
    context.output.print(path);
  }
  return 0;
}

/** @throws InputError naming each that is no format. */
function readFormats(list: string): Format[] {
  const names = list.split(',').map((name) => name.trim());
  const known = names.flatMap((name) => formats.find((format) => format === name) ?? []);
  if (known.length === names.length) return known;
  const problems = names
    .filter((name) => !known.some((format) => format === name))
    .map(
      (name): Problem => ({
        place: '--format',
        message: `there is no format ${name}`,
        hint: suggestName(name, formats),
      }),
    );
  throw new InputError(problems);
}
