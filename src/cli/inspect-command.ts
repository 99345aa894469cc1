import { resolve } from 'node:path';
import { InputError, KvmimgError } from '../errors.ts';
import { describeAsInput } from '../export/image-source.ts';
import { inspectImage } from '../export/inspect-image.ts';
import { renderDescription } from '../export/render-description.ts';
import type { CommandContext, CommandStatus } from './command-context.ts';

/** `kvmimg inspect`: what an image or OVA is and holds. */
export async function inspect(
  image: string,
  flags: { readonly json?: boolean; readonly digest?: boolean },
  context: CommandContext,
): Promise<CommandStatus> {
  const path = resolve(context.cwd, image);
  const description = await inspectImage(path, { signal: context.signal, withDigest: flags.digest ?? false }).catch(
    (error: unknown) => {
      throw isWrongInput(error) ? new InputError([describeAsInput(path, error)]) : error;
    },
  );
  if (flags.json) context.output.print(JSON.stringify(description, undefined, 2));
  else for (const line of renderDescription(description)) context.output.print(line);
  return 0;
}

/** What is no image at all; what QEMU has to say about a damaged one is told in full. */
function isWrongInput(error: unknown): error is KvmimgError {
  if (!(error instanceof KvmimgError) || error.evidence.length > 0) return false;
  return ['image-missing', 'image-permission', 'not-an-image'].includes(error.code);
}
