import { buildImage } from '../build/build-image.ts';
import { resolvePlan } from '../plan/resolve-plan.ts';
import { type LogFormat, startProgress } from '../progress/choose.ts';
import type { CommandContext, CommandStatus } from './command-context.ts';
import { makePlanOptions, type PlanFlagValues } from './plan-flags.ts';
import { makeRecipeRequest } from './recipe-flags.ts';

export interface BuildFlags extends PlanFlagValues {
  readonly logFormat: LogFormat;
}

/** `kvmimg build`: the paths of the files it has written on standard output, its progress on standard error. */
export async function build(subject: string, flags: BuildFlags, context: CommandContext): Promise<CommandStatus> {
  const { output, signal } = context;
  const request = makeRecipeRequest(subject, flags, context.cwd);
  const plan = await resolvePlan(request, makePlanOptions(flags, context), { checksHost: true });
  const renderer = await startProgress(flags.logFormat, {
    write: output.write,
    isTerminal: output.isTerminal,
    nowMs: () => performance.now(),
    debug: context.env.KVMIMG_DEBUG === '1',
  });
  try {
    const { files, manifestPath } = await buildImage(plan, { signal, progress: renderer.progress });
    await renderer.close();
    for (const path of [...files.map((file) => file.path), manifestPath]) output.print(path);
    return 0;
  } finally {
    await renderer.close();
  }
}
