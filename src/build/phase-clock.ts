import { performance } from 'node:perf_hooks';
import { type PhaseName, type Progress, phaseNames } from '../progress/events.ts';
import type { Timings } from './timings.ts';

/** Runs phases, tells progress about each, and keeps their seconds. */
export interface PhaseClock {
  /** Work of a phase; what follows of the same phase goes on with it. */
  readonly run: <T>(phase: PhaseName, title: string, work: (tell: Tell) => Promise<T>) => Promise<T>;
  /** Tells the end of the last phase. */
  readonly finish: () => void;
  /** Wall seconds of the work of each phase that went well, and of the one that is at work, so far. */
  readonly seconds: () => Partial<Record<PhaseName, number>>;
}

/** Says what a phase does now and, where it is known, how far it is (0 to 1). */
export type Tell = (activity: string, fraction?: number) => void;

export function makePhaseClock(progress: Progress, timings: Timings): PhaseClock {
  const spentMs: Partial<Record<PhaseName, number>> = {};
  let current: PhaseName | undefined;
  let workingSinceMs: number | undefined;
  const secondsOf = (phase: PhaseName): number => {
    const workingMs = phase === current && workingSinceMs !== undefined ? performance.now() - workingSinceMs : 0;
    return Math.round(((spentMs[phase] ?? 0) + workingMs) / 100) / 10;
  };
  const finish = (): void => {
    if (current) progress({ type: 'phase-finished', phase: current, seconds: secondsOf(current) });
    current = undefined;
  };
  const enter = (phase: PhaseName, title: string): void => {
    if (current === phase) return;
    finish();
    current = phase;
    const estimateSeconds = timings.estimateSeconds(phase);
    progress({ type: 'phase-started', phase, title, ...(estimateSeconds === undefined ? {} : { estimateSeconds }) });
  };
  return {
    finish,
    seconds: () => {
      const phases = phaseNames.filter((phase) => phase in spentMs || phase === current);
      return Object.fromEntries(phases.map((phase) => [phase, secondsOf(phase)]));
    },
    run: async (phase, title, work) => {
      enter(phase, title);
      const startMs = performance.now();
      workingSinceMs = startMs;
      const spent = (): number => (spentMs[phase] ?? 0) + performance.now() - startMs;
      try {
        const result = await work((activity, fraction) =>
          progress({ type: 'phase-progress', phase, activity, ...(fraction === undefined ? {} : { fraction }) }),
        );
        spentMs[phase] = spent();
        workingSinceMs = undefined;
        return result;
      } catch (error) {
        workingSinceMs = undefined;
        current = undefined;
        progress({ type: 'phase-failed', phase, seconds: Math.round(spent() / 100) / 10 });
        throw error;
      }
    },
  };
}
