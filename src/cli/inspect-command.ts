import { resolve } from 'node:path';
import { inspectImage } from '../export/inspect-image.ts';
import { renderDescription } from '../export/render-description.ts';
import type { CommandContext, CommandStatus } from './command-context.ts';

/** `kvmimg inspect`: what an image or OVA is and holds. */
export async function inspect(
  image: string,
  flags: { readonly json?: boolean; readonly digest?: boolean },
  context: CommandContext,
): Promise<CommandStatus> {
  const options = { signal: context.signal, withDigest: flags.digest ?? false };
  const description = await inspectImage(resolve(context.cwd, image), options);
  if (flags.json) context.output.print(JSON.stringify(description, undefined, 2));
  else for (const line of renderDescription(description)) context.output.print(line);
  return 0;
}
