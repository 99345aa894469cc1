import { availableParallelism } from 'node:os';
import { InterruptedError } from '../errors.ts';
import { readMemory } from '../host/memory.ts';
import type { Plan } from '../plan/plan.ts';
import { type Progress, tagProgress } from '../progress/events.ts';
import { type BuildReport, buildAndReport } from './build-report.ts';
import { makeHostPool } from './host-pool.ts';

export interface BuildManyOptions {
  readonly signal: AbortSignal;
  readonly progress: Progress;
  /** The first failure ends the others. */
  readonly failFast: boolean;
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
      const report = await buildAndReport(plan, { signal, pool, progress: tagProgress(options.progress, plan.name) });
      if (report.outcome === 'failed' && options.failFast) stop.abort(cancelled);
      return report;
    }),
  );
  return reports;
}
