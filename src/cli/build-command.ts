import { buildImage } from '../build/build-image.ts';
import { type BuildReport, buildMany } from '../build/build-many.ts';
import { InputError } from '../errors.ts';
import type { Plan } from '../plan/plan.ts';
import { resolvePlans } from '../plan/resolve-plan.ts';
import { type LogFormat, startProgress } from '../progress/choose.ts';
import type { Progress } from '../progress/events.ts';
import { summarize } from '../progress/summary.ts';
import type { CommandContext, CommandStatus } from './command-context.ts';
import { makePlanOptions, type PlanFlagValues } from './plan-flags.ts';
import { makeRecipeRequest } from './recipe-flags.ts';
import { renderError } from './render-error.ts';

export interface BuildFlags extends PlanFlagValues {
  readonly logFormat: LogFormat;
  readonly failFast?: boolean;
}

/** `kvmimg build`: the paths of the files it has written on standard output, its progress on standard error. */
export async function build(
  subjects: readonly string[],
  flags: BuildFlags,
  context: CommandContext,
): Promise<CommandStatus> {
  const { output, signal } = context;
  const requests = subjects.map((subject) => makeRecipeRequest(subject, flags, context));
  const plans = await resolvePlans(requests, makePlanOptions(flags, context), { checksHost: true });
  if (plans.length > 1 && flags.keepOnFailure) {
    const message = 'keeps the machine of one build, and these are several';
    throw new InputError([{ place: '--keep-on-failure', message, hint: 'Build the one that fails alone.' }]);
  }
  const [plan] = plans;
  if (plan === undefined || plans.length > 1) return buildAll(plans, flags, context);
  const { files } = await showProgress(flags.logFormat, context, (progress) => buildImage(plan, { signal, progress }));
  for (const path of files) output.print(path);
  return 0;
}

async function buildAll(plans: readonly Plan[], flags: BuildFlags, context: CommandContext): Promise<CommandStatus> {
  const { output, signal } = context;
  const reports = await showProgress(flags.logFormat, context, (progress) =>
    buildMany(plans, { signal, progress, failFast: flags.failFast ?? false }),
  );
  for (const path of reports.flatMap((report) => report.files)) output.print(path);
  for (const report of reports.filter(({ outcome }) => outcome === 'failed')) output.log(describeFailure(report));
  for (const line of summarize(reports)) output.log(line);
  signal.throwIfAborted();
  const errors = reports.filter(({ outcome }) => outcome === 'failed').map(({ error }) => error);
  if (reports.every(({ outcome }) => outcome === 'built' || outcome === 'cached')) return 0;
  return errors.length > 0 && errors.every((error) => error instanceof InputError) ? 2 : 1;
}

function describeFailure({ name, error }: BuildReport): string {
  return `${name}: ${renderError(error).text}\n`;
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
