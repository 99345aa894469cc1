import { buildMany } from '../build/build-many.ts';
import { type BuildReport, buildAndReport } from '../build/build-report.ts';
import { InputError } from '../errors.ts';
import type { Plan } from '../plan/plan.ts';
import { resolvePlans } from '../plan/resolve-plan.ts';
import type { LogFormat } from '../progress/choose.ts';
import { summarize } from '../progress/summary.ts';
import type { CommandContext, CommandStatus } from './command-context.ts';
import { makePlanOptions, type PlanFlagValues } from './plan-flags.ts';
import { makeRecipeRequest } from './recipe-flags.ts';
import { renderError } from './render-error.ts';
import { showProgress } from './show-progress.ts';

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
  const { files, error } = await showProgress(flags.logFormat, context, (progress) =>
    buildAndReport(plan, { signal, progress }),
  );
  if (error !== undefined) throw error;
  for (const path of files) output.print(path);
  return 0;
}

async function buildAll(plans: readonly Plan[], flags: BuildFlags, context: CommandContext): Promise<CommandStatus> {
  const { output, signal } = context;
  const reports = await showProgress(flags.logFormat, context, (progress) =>
    buildMany(plans, { signal, progress, failFast: flags.failFast ?? false }),
  );
  for (const path of reports.flatMap((report) => report.files)) output.print(path);
  const failed = reports.filter(({ outcome }) => outcome === 'failed');
  // Programs have been told all of this by the last event of each build.
  const lines = flags.logFormat === 'json' ? [] : [...failed.map(renderFailure), ...summarize(reports)];
  for (const line of lines) output.log(line);
  signal.throwIfAborted();
  const errors = failed.map(({ error }) => error);
  if (reports.every(({ outcome }) => outcome === 'built' || outcome === 'cached')) return 0;
  return errors.length > 0 && errors.every((error) => error instanceof InputError) ? 2 : 1;
}

function renderFailure({ name, error }: BuildReport): string {
  return `${name}: ${renderError(error).text}\n`;
}
