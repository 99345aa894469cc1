import { availableParallelism } from 'node:os';
import { InterruptedError, messageOf } from '../errors.ts';
import { readMemory } from '../host/memory.ts';
import type { Plan } from '../plan/plan.ts';
import { type PhaseName, type Progress, tagProgress } from '../progress/events.ts';
import type { BuildSummary } from '../progress/summary.ts';
import { buildImage } from './build-image.ts';
import { makeHostPool } from './host-pool.ts';

export interface BuildManyOptions {
  readonly signal: AbortSignal;
  readonly progress: Progress;
  /** The first failure ends the others. */
  readonly failFast: boolean;
}

/** How one of several builds ended. */
export interface BuildReport extends BuildSummary {
  readonly files: readonly string[];
  /** Why it failed or was cancelled. */
  readonly error?: unknown;
}

const cancelled = new InterruptedError('--fail-fast', 'Ended because another build failed (--fail-fast).');

/** Of the memory that is available, what the machines may have; the rest is for QEMU itself and the page cache. */
const memoryShare = 0.85;

/**
 * Builds several images side by side, as many as cores and memory of this host allow; layers that they share are made
 * once. A failure leaves the others going, an interrupt cancels them. Gives a report a plan, in their order.
 */
export async function buildMany(plans: readonly Plan[], options: BuildManyOptions): Promise<readonly BuildReport[]> {
  const { availableBytes } = await readMemory();
  const pool = makeHostPool({ cpus: availableParallelism(), memoryBytes: availableBytes * memoryShare });
  const stop = new AbortController();
  const signal = AbortSignal.any([options.signal, stop.signal]);
  options.progress({ type: 'builds-started', names: plans.map((plan) => plan.name) });
  const reports = await Promise.all(
    plans.map(async (plan) => {
      const report = await buildOne(plan, { signal, pool, progress: tagProgress(options.progress, plan.name) });
      if (report.outcome === 'failed' && options.failFast) stop.abort(cancelled);
      return report;
    }),
  );
  return reports;
}

async function buildOne(plan: Plan, options: Parameters<typeof buildImage>[1]): Promise<BuildReport> {
  const startMs = performance.now();
  let phase: PhaseName | undefined;
  const progress: Progress = (event) => {
    if (event.type === 'phase-started') phase = event.phase;
    options.progress(event);
  };
  const report = await buildImage(plan, { ...options, progress }).then(
    ({ files, reused, cached }): Omit<BuildReport, 'name' | 'seconds'> => ({
      ...{ files, reused },
      outcome: cached ? 'cached' : 'built',
    }),
    (error): Omit<BuildReport, 'name' | 'seconds'> => ({
      files: [],
      outcome: error instanceof InterruptedError ? 'cancelled' : 'failed',
      message: messageOf(error),
      error,
      ...(phase ? { failedIn: phase } : {}),
    }),
  );
  const seconds = (performance.now() - startMs) / 1000;
  const { outcome, message } = report;
  options.progress({ type: 'build-finished', outcome, seconds, ...(message ? { message } : {}) });
  return { name: plan.name, seconds, ...report };
}
