import { InterruptedError, messageOf } from '../errors.ts';
import type { Plan } from '../plan/plan.ts';
import type { PhaseName, Progress } from '../progress/events.ts';
import { describeFailure } from '../progress/failure.ts';
import type { BuildSummary } from '../progress/summary.ts';
import { type BuildOptions, buildImage } from './build-image.ts';

/** How a build ended. */
export interface BuildReport extends BuildSummary {
  readonly files: readonly string[];
  /** Why it failed or was cancelled. */
  readonly error?: unknown;
}

type Ending = Omit<BuildReport, 'name' | 'seconds'>;

/** Builds an image and tells how it ended, by the last event and by what it gives; it does not throw. */
export async function buildAndReport(plan: Plan, options: BuildOptions): Promise<BuildReport> {
  const startMs = performance.now();
  let phase: PhaseName | undefined;
  const progress: Progress = (event) => {
    if (event.type === 'phase-started') phase = event.phase;
    options.progress(event);
  };
  const ending = await buildImage(plan, { ...options, progress }).then(
    ({ files, reused, cached }): Ending => ({ files, reused, outcome: cached ? 'cached' : 'built' }),
    (error): Ending => ({
      files: [],
      outcome: error instanceof InterruptedError ? 'cancelled' : 'failed',
      message: messageOf(error),
      error,
      ...(phase ? { failedIn: phase } : {}),
    }),
  );
  const seconds = (performance.now() - startMs) / 1000;
  const { outcome, error } = ending;
  const failure = error === undefined ? {} : describeFailure(error);
  options.progress({ type: 'build-finished', outcome, seconds, ...failure });
  return { name: plan.name, seconds, ...ending };
}
