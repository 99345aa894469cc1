import type { Progress } from './events.ts';

/** Shows the progress of a build to somebody. */
export interface ProgressRenderer {
  readonly progress: Progress;
  /** Leaves the screen in order; nothing is shown after it. */
  readonly close: () => Promise<void>;
}

export interface RendererOptions {
  /** Writes text as it is, to standard error. */
  readonly write: (text: string) => void;
  /** A clock that counts from any moment. */
  readonly nowMs: () => number;
  /** Whether `log` events of level `debug` are shown. */
  readonly debug: boolean;
}
