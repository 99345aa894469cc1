import { describeOutcome } from './describe-outcome.ts';
import type { PhaseName, ProgressEvent } from './events.ts';
import { type LiveView, makeRow, type Row, type RowEnding } from './live-view.ts';
import { describePhase, type ShownPhase, updatePhase } from './shown-phase.ts';

interface ShownBuild {
  readonly row: Row;
  /** `waits` before its first event. */
  state: 'waits' | 'runs' | 'ended';
  phase: { readonly name: PhaseName; readonly shown: ShownPhase } | undefined;
}

/** Of several builds: a row each, with its phase, what it does now, percent, elapsed time and estimate; warnings below. */
export function makeBuildsView(names: readonly string[], nowMs: () => number): LiveView {
  const builds = new Map<string, ShownBuild>(
    names.map((name) => [name, { row: makeRow(name), state: 'waits', phase: undefined }]),
  );
  const all = [...builds.values()];
  const progress = (event: ProgressEvent): void => {
    const build = event.build === undefined ? undefined : builds.get(event.build);
    if (build) showEvent(build, event, nowMs());
    // Of no build, such as the word that Ctrl-C was heard: for everybody, under the first that can show it.
    else if (event.type === 'log') (all.find(({ state }) => state !== 'ended') ?? all[0])?.row.note(event.message);
  };
  return {
    rows: all.map(({ row }) => row),
    order: 'at once',
    progress,
    refresh: () => {
      for (const build of all) build.row.setTitle(describeBuild(build, nowMs()));
    },
    close: () => {
      for (const build of all) endBuild(build, { outcome: 'skipped', title: `${build.row.name} (not built)` });
    },
  };
}

function showEvent(build: ShownBuild, event: ProgressEvent, nowMs: number): void {
  if (event.type === 'log') {
    // There is one row a build; what is good to know of a single one would bury the others.
    if (event.level !== 'info') build.row.note(`${event.level}: ${event.message}`);
    return;
  }
  build.state = 'runs';
  switch (event.type) {
    case 'phase-started':
    case 'phase-progress': {
      const before = build.phase?.name === event.phase ? build.phase.shown : undefined;
      build.phase = { name: event.phase, shown: updatePhase(before, event, nowMs) };
      break;
    }
    case 'phase-finished':
    case 'phase-failed':
      build.phase = undefined;
      break;
    case 'build-finished':
      endBuild(build, describeEnd(build.row.name, event));
  }
}

function endBuild(build: ShownBuild, ending: RowEnding): void {
  build.state = 'ended';
  build.phase = undefined;
  build.row.setTitle(build.row.name);
  build.row.end(ending);
}

function describeBuild({ row, state, phase }: ShownBuild, nowMs: number): string {
  if (!phase) return state === 'waits' ? `${row.name}: waits` : row.name;
  return `${row.name}: ${describePhase({ ...phase.shown, title: phase.name }, nowMs)}`;
}

function describeEnd(name: string, event: Extract<ProgressEvent, { type: 'build-finished' }>): RowEnding {
  const outcomes = { built: 'done', cached: 'done', failed: 'failed', cancelled: 'skipped' } as const;
  return { outcome: outcomes[event.outcome], title: `${name} (${describeOutcome(event)})` };
}
