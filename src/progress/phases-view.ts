import { formatSeconds } from '../recipe/quantities.ts';
import type { PhaseName, ProgressEvent } from './events.ts';
import { type LiveView, makeRow, type Row } from './live-view.ts';
import { describePhase, type ShownPhase, updatePhase } from './shown-phase.ts';

interface Current {
  readonly row: Row;
  readonly phase: ShownPhase;
}

/** Of one build: a row a phase, with what it does now, percent, elapsed time and estimate. */
export function makePhasesView(names: readonly PhaseName[], nowMs: () => number): LiveView {
  const rows = new Map(names.map((name) => [name, makeRow(name)]));
  let current: Current | undefined;

  const progress = (event: ProgressEvent): void => {
    switch (event.type) {
      case 'phase-started': {
        endEarlier(rows, event.phase);
        const row = rows.get(event.phase);
        current = row && { row, phase: updatePhase(undefined, event, nowMs()) };
        break;
      }
      case 'phase-progress':
        if (current) current = { ...current, phase: updatePhase(current.phase, event, nowMs()) };
        break;
      case 'phase-finished':
      case 'phase-failed':
        endRow(rows.get(event.phase), current, event);
        break;
      case 'log':
        (current?.row ?? rows.values().next().value)?.note(event.message);
    }
  };
  return {
    rows: [...rows.values()],
    order: 'in turn',
    progress,
    refresh: () => current?.row.setTitle(describePhase(current.phase, nowMs())),
    close: () => {
      for (const row of rows.values()) row.end({ outcome: 'skipped', title: `${row.name} (not reached)` });
    },
  };
}

/** Phases that a build passes over (their layer is there already) never start. */
function endEarlier(rows: ReadonlyMap<PhaseName, Row>, started: PhaseName): void {
  for (const [name, row] of rows) {
    if (name === started) return;
    row.end({ outcome: 'skipped', title: `${name} (nothing to do)` });
  }
}

type PhaseEnd = Extract<ProgressEvent, { type: 'phase-finished' | 'phase-failed' }>;

function endRow(row: Row | undefined, current: Current | undefined, event: PhaseEnd): void {
  const title = current && current.row === row ? current.phase.title : event.phase;
  const time = formatSeconds(event.seconds);
  if (event.type === 'phase-failed') row?.end({ outcome: 'failed', title: `${title} (failed after ${time})` });
  else row?.end({ outcome: 'done', title: `${title} (${time}${event.note ? `, ${event.note}` : ''})` });
}
