import { performance } from 'node:perf_hooks';
import { type PhaseName, type Progress, phaseNames } from '../progress/events.ts';
import type { PhaseSeconds, Timings } from './timings.ts';

/** Runs phases, tells progress about each, and keeps their seconds. */
export interface PhaseClock {
  /** Work of a phase; what follows of the same phase goes on with it. */
  readonly run: <T>(phase: PhaseName, title: string, work: (tell: Tell) => Promise<T>) => Promise<T>;
  /** Says that a part of a phase was there already: the seconds of the rest tell nothing of a whole one. */
  readonly reuse: (phase: PhaseName) => void;
  /** Tells the end of the last phase. */
  readonly finish: () => void;
  /** Wall seconds of the work of each phase that went well, and of the one that is at work, so far. */
  readonly seconds: () => PhaseSeconds;
  /** Keeps the seconds of the phases that have ended well, and of which nothing was there before. */
  readonly record: () => Promise<void>;
}

/** Says what a phase does now and, where it is known, how far it is (0 to 1). */
export type Tell = (activity: string, fraction?: number) => void;

export function makePhaseClock(progress: Progress, timings: Timings): PhaseClock {
  const spentMs: Partial<Record<PhaseName, number>> = {};
  const reused = new Set<PhaseName>();
  const finished = new Set<PhaseName>();
  let current: PhaseName | undefined;
  let workingSinceMs: number | undefined;
  const secondsOf = (phase: PhaseName): number => {
    const workingMs = phase === current && workingSinceMs !== undefined ? performance.now() - workingSinceMs : 0;
    return Math.round(((spentMs[phase] ?? 0) + workingMs) / 100) / 10;
  };
  const secondsOfAll = (phases: readonly PhaseName[]): PhaseSeconds =>
    Object.fromEntries(phases.map((phase) => [phase, secondsOf(phase)]));
  const worked = (): readonly PhaseName[] => phaseNames.filter((phase) => phase in spentMs);
  const finish = (): void => {
    if (current) {
      progress({ type: 'phase-finished', phase: current, seconds: secondsOf(current) });
      finished.add(current);
    }
    current = undefined;
  };
  const enter = (phase: PhaseName, title: string): void => {
    if (current === phase) return;
    finish();
    current = phase;
    const estimateSeconds = reused.has(phase) ? undefined : timings.estimateSeconds(phase, worked());
    progress({ type: 'phase-started', phase, title, ...(estimateSeconds === undefined ? {} : { estimateSeconds }) });
  };
  return {
    reuse: (phase) => void reused.add(phase),
    finish,
    seconds: () => secondsOfAll(phaseNames.filter((phase) => phase in spentMs || phase === current)),
    record: async () => {
      const whole = [...finished].filter((phase) => !reused.has(phase));
      if (whole.length > 0) await timings.record(secondsOfAll(whole), worked());
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
