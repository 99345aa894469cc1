import type { Failure } from './failure.ts';

/** The parts of a build that a person sees the progress of, in order. */
export const phaseNames = ['media', 'install', 'provision', 'seal', 'verify', 'export'] as const;
export type PhaseName = (typeof phaseNames)[number];

/** How a build ended; `cached` when all of it was there already. */
export const buildOutcomes = ['built', 'cached', 'failed', 'cancelled'] as const;
export type BuildOutcome = (typeof buildOutcomes)[number];

type AnyEvent =
  /** Comes first where several builds are shown together; their names differ. */
  | { readonly type: 'builds-started'; readonly names: readonly string[] }
  | { readonly type: 'build-started'; readonly name: string; readonly phases: readonly PhaseName[] }
  | {
      readonly type: 'phase-started';
      readonly phase: PhaseName;
      readonly title: string;
      /** Seconds that this phase took in an earlier build, where known. */
      readonly estimateSeconds?: number;
    }
  | {
      readonly type: 'phase-progress';
      readonly phase: PhaseName;
      /** What is being done now, in the installer's or kvmimg's own words. */
      readonly activity?: string;
      /** 0 to 1, where it is known. */
      readonly fraction?: number;
    }
  | { readonly type: 'phase-finished'; readonly phase: PhaseName; readonly seconds: number; readonly note?: string }
  | { readonly type: 'phase-failed'; readonly phase: PhaseName; readonly seconds: number }
  /** With the reason, of a build that failed or was cancelled. */
  | ({ readonly type: 'build-finished'; readonly outcome: BuildOutcome; readonly seconds: number } & Partial<Failure>)
  | { readonly type: 'log'; readonly level: 'debug' | 'info' | 'warning'; readonly message: string };

/** What happens during builds. Builders emit these; only renderers print. */
export type ProgressEvent = AnyEvent & {
  /** Name of the build that this is about, where there are several. */
  readonly build?: string;
};

export type Progress = (event: ProgressEvent) => void;

/** For one of several builds: says with every event which build it is about. */
export function tagProgress(progress: Progress, build: string): Progress {
  return (event) => progress({ ...event, build });
}
