/** The parts of a build that a person sees the progress of, in order. */
export const phaseNames = ['media', 'install', 'provision', 'seal', 'verify', 'export'] as const;
export type PhaseName = (typeof phaseNames)[number];

/** What happens during a build. Builders emit these; only renderers print. */
export type ProgressEvent =
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
  | { readonly type: 'log'; readonly level: 'debug' | 'info' | 'warning'; readonly message: string };

export type Progress = (event: ProgressEvent) => void;
