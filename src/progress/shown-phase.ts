import { describeProgress } from './describe-progress.ts';
import type { ProgressEvent } from './events.ts';

type PhaseEvent = Extract<ProgressEvent, { type: 'phase-started' | 'phase-progress' }>;

/** What is known of a phase that runs. */
export interface ShownPhase {
  readonly title: string;
  readonly startMs: number;
  readonly estimateSeconds: number | undefined;
  readonly activity: string | undefined;
  readonly fraction: number | undefined;
}

/** The phase after an event, which may be the first that is heard of it. */
export function updatePhase(phase: ShownPhase | undefined, event: PhaseEvent, nowMs: number): ShownPhase {
  const unknown = { estimateSeconds: undefined, activity: undefined, fraction: undefined };
  if (event.type === 'phase-started') {
    return { ...unknown, title: event.title, startMs: nowMs, estimateSeconds: event.estimateSeconds };
  }
  const known = phase ?? { ...unknown, title: event.phase, startMs: nowMs };
  return { ...known, activity: event.activity ?? known.activity, fraction: event.fraction ?? known.fraction };
}

/** `Install Debian 13: installing packages, 62 %, 9 min 40 s of about 15 min 44 s`. */
export function describePhase(phase: ShownPhase, nowMs: number): string {
  return `${phase.title}: ${describeProgress({ ...phase, elapsedSeconds: (nowMs - phase.startMs) / 1000 })}`;
}
