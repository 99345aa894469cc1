import { buildImage } from '../build/build-image.ts';
import { resolvePlan } from '../plan/resolve-plan.ts';
import { type LogFormat, startProgress } from '../progress/choose.ts';
import type { Progress } from '../progress/events.ts';
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
  const { files, manifestPath } = await showProgress(flags.logFormat, context, (progress) =>
    buildImage(plan, { signal, progress }),
  );
  for (const path of [...files.map((file) => file.path), manifestPath]) output.print(path);
  return 0;
}

/** Runs `work` with its progress on standard error, which is in order again when this ends. */
async function showProgress<T>(
  format: LogFormat,
  { output, env }: CommandContext,
  work: (progress: Progress) => Promise<T>,
): Promise<T> {
  const renderer = await startProgress(format, {
    write: output.write,
    isTerminal: output.isTerminal,
    nowMs: () => performance.now(),
    debug: env.KVMIMG_DEBUG === '1',
  });
  output.showLogIn((message) => renderer.progress({ type: 'log', level: 'info', message }));
  try {
    return await work(renderer.progress);
  } finally {
    output.showLogIn(undefined);
    await renderer.close();
  }
}
