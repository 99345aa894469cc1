import type { ProgressEvent } from './events.ts';

/** What a terminal shows of builds: rows that change. A view knows nothing of the terminal. */
export interface LiveView {
  readonly rows: readonly Row[];
  /** Whether rows are worked on one after the other, or all at once. */
  readonly order: 'in turn' | 'at once';
  readonly progress: (event: ProgressEvent) => void;
  /** Brings titles up to date, for time passes without events as well. */
  readonly refresh: () => void;
  /** Ends the rows that have not ended. */
  readonly close: () => void;
}

export interface Row {
  /** What it is called before anything happens. */
  readonly name: string;
  /** Shown while the row is worked on. */
  readonly setTitle: (title: string) => void;
  /** A line that stays under the row. */
  readonly note: (message: string) => void;
  /** What is said of it last; the first call counts. */
  readonly end: (ending: RowEnding) => void;
  /** Shows the row on a screen until it ends. */
  readonly follow: (screen: RowScreen) => Promise<RowEnding>;
}

export interface RowEnding {
  readonly outcome: 'done' | 'failed' | 'skipped';
  readonly title: string;
}

/** Where a row is shown. */
export interface RowScreen {
  readonly setTitle: (title: string) => void;
  readonly note: (message: string) => void;
}

export function makeRow(name: string): Row {
  let screen: RowScreen | undefined;
  // From before the row is on the screen.
  const notes: string[] = [];
  let end: (ending: RowEnding) => void = () => {};
  const ended = new Promise<RowEnding>((resolve) => {
    end = resolve;
  });
  return {
    name,
    setTitle: (title) => screen?.setTitle(title),
    note: (message) => {
      if (screen) screen.note(message);
      else notes.push(message);
    },
    end: (ending) => end(ending),
    follow: async (shownOn) => {
      screen = shownOn;
      for (const message of notes) screen.note(message);
      const ending = await ended;
      screen = undefined;
      return ending;
    },
  };
}
