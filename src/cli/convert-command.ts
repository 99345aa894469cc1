import { resolve } from 'node:path';
import { InputError, type Problem } from '../errors.ts';
import { type ConvertRequest, convertImage } from '../export/convert-image.ts';
import { formats as allFormats } from '../recipe/schema.ts';
import { suggestName } from '../suggestion.ts';
import type { CommandContext, CommandStatus } from './command-context.ts';
import { type MachineFlags, readMachineFlags } from './machine-flags.ts';
import { showExport } from './show-progress.ts';

export interface ConvertFlags extends MachineFlags {
  readonly format: string;
  readonly output: string;
  readonly name?: string;
  readonly force?: boolean;
}

/** `kvmimg convert`: formats from an existing disk image; the paths of the files on standard output. */
export async function convert(image: string, flags: ConvertFlags, context: CommandContext): Promise<CommandStatus> {
  const { formats, facts } = readFlags(flags);
  const request: ConvertRequest = {
    source: resolve(context.cwd, image),
    formats,
    outputDir: resolve(context.cwd, flags.output),
    ...(flags.name === undefined ? {} : { name: flags.name }),
    facts,
    force: flags.force ?? false,
  };
  const images = await showExport(context, `Convert ${image}`, (onProgress) =>
    convertImage(request, { signal: context.signal, onProgress }),
  );
  for (const { path, warnings } of images) {
    for (const warning of warnings) context.output.log(`warning: ${warning}`);
    context.output.print(path);
  }
  return 0;
}

/** @throws InputError with everything that is wrong with them. */
function readFlags(flags: ConvertFlags) {
  const names = flags.format.split(',').map((name) => name.trim());
  const formats = names.flatMap((name) => allFormats.find((format) => format === name) ?? []);
  const unknown = names
    .filter((name) => !formats.some((format) => format === name))
    .map(
      (name): Problem => ({
        place: '--format',
        message: `there is no format ${name}`,
        hint: suggestName(name, allFormats),
      }),
    );
  // What an unknown format was meant to be is not known.
  const { facts, problems } = readMachineFlags(flags, unknown.length > 0 ? allFormats : formats);
  if (unknown.length + problems.length > 0) throw new InputError([...unknown, ...problems]);
  return { formats, facts };
}
