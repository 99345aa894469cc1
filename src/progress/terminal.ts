import {
  type DefaultRenderer,
  Listr,
  type ListrDefaultRendererLogLevels,
  ListrLogger,
  type ListrTaskWrapper,
  ProcessOutput,
  type SimpleRenderer,
} from 'listr2';
import { formatSeconds } from '../recipe/quantities.ts';
import { describeProgress } from './describe-progress.ts';
import type { PhaseName, ProgressEvent } from './events.ts';
import type { ProgressRenderer, RendererOptions } from './renderer.ts';

type Task = ListrTaskWrapper<unknown, typeof DefaultRenderer, typeof SimpleRenderer>;

/** How a phase ended, told to the task that shows it. */
type Ending = Extract<ProgressEvent, { type: 'phase-finished' | 'phase-failed' }> | { readonly skipped: string };

interface ShownPhase {
  title: string;
  startMs: number | undefined;
  estimateSeconds: number | undefined;
  activity: string | undefined;
  fraction: number | undefined;
  task: Task | undefined;
  /** Log lines from before the task is on the screen. */
  readonly notes: string[];
  readonly ended: Promise<Ending>;
  readonly end: (ending: Ending) => void;
}

/** A task a phase, with what it does now, percent, elapsed time and estimate; all on standard error. */
export function startTerminalProgress({ write, nowMs, debug }: RendererOptions): ProgressRenderer {
  const phases = new Map<PhaseName, ShownPhase>();
  let current: ShownPhase | undefined;
  let rendering: Promise<unknown> = Promise.resolve();
  const refresh = setInterval(() => showState(current, nowMs()), 1_000).unref();

  const note = (message: string): void => {
    const phase = current ?? phases.values().next().value;
    if (phase === undefined) write(`${message}\n`);
    else if (phase.task) phase.task.output = message;
    else phase.notes.push(message);
  };
  const progress = (event: ProgressEvent): void => {
    switch (event.type) {
      case 'build-started':
        for (const phase of event.phases) phases.set(phase, makeShownPhase(phase));
        rendering = renderPhases([...phases.values()]);
        break;
      case 'phase-started':
        endEarlier(phases, event.phase);
        current = phases.get(event.phase);
        if (current) Object.assign(current, event, { startMs: nowMs() });
        break;
      case 'phase-progress':
        if (current) Object.assign(current, event);
        break;
      case 'phase-finished':
      case 'phase-failed':
        phases.get(event.phase)?.end(event);
        break;
      case 'log':
        if (event.level !== 'debug' || debug) note(event.message);
    }
    showState(current, nowMs());
  };
  const close = async (): Promise<void> => {
    clearInterval(refresh);
    for (const phase of phases.values()) phase.end({ skipped: 'not reached' });
    await rendering;
  };
  return { progress, close };
}

function makeShownPhase(title: string): ShownPhase {
  let end: (ending: Ending) => void = () => {};
  const ended = new Promise<Ending>((resolve) => {
    end = resolve;
  });
  const unknown = { startMs: undefined, estimateSeconds: undefined, activity: undefined, fraction: undefined };
  return { title, ...unknown, task: undefined, notes: [], ended, end };
}

/** Phases that a build passes over (their layer is there already) never start. */
function endEarlier(phases: ReadonlyMap<PhaseName, ShownPhase>, started: PhaseName): void {
  for (const [name, phase] of phases) {
    if (name === started) return;
    phase.end({ skipped: 'nothing to do' });
  }
}

function renderPhases(phases: readonly ShownPhase[]): Promise<unknown> {
  const logger = new ListrLogger<ListrDefaultRendererLogLevels>({
    processOutput: new ProcessOutput(process.stderr, process.stderr),
  });
  const tasks = phases.map((phase) => ({
    title: phase.title,
    task: (_: unknown, task: Task) => follow(phase, task),
    rendererOptions: { outputBar: Number.POSITIVE_INFINITY, persistentOutput: true },
  }));
  const listr = new Listr(tasks, {
    concurrent: false,
    exitOnError: false,
    // Signals are handled in one place, by lifecycle/signals.
    registerSignalListeners: false,
    renderer: 'default',
    // It asks whether standard output is a terminal; results may go elsewhere, this goes to standard error.
    forceTTY: true,
    fallbackRendererCondition: false,
    rendererOptions: { logger, collapseSkips: false, showErrorMessage: false },
  });
  // A failed phase is the build's to report.
  return listr.run().catch(() => {});
}

async function follow(phase: ShownPhase, task: Task): Promise<void> {
  phase.task = task;
  for (const note of phase.notes) task.output = note;
  const ending = await phase.ended;
  phase.task = undefined;
  if ('skipped' in ending) {
    task.skip(`${phase.title} (${ending.skipped})`);
    return;
  }
  const time = formatSeconds(ending.seconds);
  if (ending.type === 'phase-failed') {
    task.title = `${phase.title} (failed after ${time})`;
    throw new Error(task.title);
  }
  task.title = `${phase.title} (${time}${ending.note ? `, ${ending.note}` : ''})`;
}

function showState(phase: ShownPhase | undefined, nowMs: number): void {
  if (!phase?.task || phase.startMs === undefined) return;
  phase.task.title = `${phase.title}: ${describeProgress({ ...phase, elapsedSeconds: (nowMs - phase.startMs) / 1000 })}`;
}
