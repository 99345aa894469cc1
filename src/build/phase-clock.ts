import { performance } from 'node:perf_hooks';
import type { PhaseName, Progress } from '../progress/events.ts';
import type { Timings } from './timings.ts';

/** Runs phases, tells progress about each, and keeps their seconds. */
export interface PhaseClock {
  readonly run: <T>(phase: PhaseName, title: string, work: (tell: Tell) => Promise<T>) => Promise<T>;
  /** Wall seconds of the phases that have ended well. */
  readonly seconds: () => Partial<Record<PhaseName, number>>;
}

/** Says what a phase does now and, where it is known, how far it is (0 to 1). */
export type Tell = (activity: string, fraction?: number) => void;

export function makePhaseClock(progress: Progress, timings: Timings): PhaseClock {
  const seconds: Partial<Record<PhaseName, number>> = {};
  return {
    seconds: () => ({ ...seconds }),
    run: async (phase, title, work) => {
      const startMs = performance.now();
      const elapsed = (): number => Math.round((performance.now() - startMs) / 100) / 10;
      const estimateSeconds = timings.estimateSeconds(phase);
      progress({ type: 'phase-started', phase, title, ...(estimateSeconds === undefined ? {} : { estimateSeconds }) });
      try {
        const result = await work((activity, fraction) =>
          progress({ type: 'phase-progress', phase, activity, ...(fraction === undefined ? {} : { fraction }) }),
        );
        seconds[phase] = elapsed();
        progress({ type: 'phase-finished', phase, seconds: elapsed() });
        return result;
      } catch (error) {
        progress({ type: 'phase-failed', phase, seconds: elapsed() });
        throw error;
      }
    },
  };
}
