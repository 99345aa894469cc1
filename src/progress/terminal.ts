import {
  type DefaultRenderer,
  Listr,
  type ListrDefaultRendererLogLevels,
  ListrLogger,
  type ListrTaskWrapper,
  ProcessOutput,
  type SimpleRenderer,
} from 'listr2';
import { makeBuildsView } from './builds-view.ts';
import type { ProgressEvent } from './events.ts';
import type { LiveView, Row } from './live-view.ts';
import { makePhasesView } from './phases-view.ts';
import type { ProgressRenderer, RendererOptions } from './renderer.ts';

type Task = ListrTaskWrapper<unknown, typeof DefaultRenderer, typeof SimpleRenderer>;

/** A task a phase, or a task a build where there are several; all on standard error. */
export function startTerminalProgress({ write, nowMs, debug }: RendererOptions): ProgressRenderer {
  let view: LiveView | undefined;
  let rendering: Promise<unknown> = Promise.resolve();
  const refresh = setInterval(() => view?.refresh(), 1_000).unref();

  const progress = (event: ProgressEvent): void => {
    if (event.type === 'log' && event.level === 'debug' && !debug) return;
    if (view === undefined) {
      view = makeView(event, nowMs);
      if (view) rendering = renderRows(view);
      else if (event.type === 'log') write(`${event.message}\n`);
    }
    view?.progress(event);
    view?.refresh();
  };
  const close = async (): Promise<void> => {
    clearInterval(refresh);
    view?.close();
    await rendering;
  };
  return { progress, close };
}

/** The event that comes first says which view it is; undefined for what comes before any. A phase may be of no build. */
function makeView(event: ProgressEvent, nowMs: () => number): LiveView | undefined {
  if (event.type === 'builds-started') return makeBuildsView(event.names, nowMs);
  if (event.type === 'build-started') return makePhasesView(event.phases, nowMs);
  return event.type === 'phase-started' ? makePhasesView([event.phase], nowMs) : undefined;
}

function renderRows({ rows, order }: LiveView): Promise<unknown> {
  const logger = new ListrLogger<ListrDefaultRendererLogLevels>({
    processOutput: new ProcessOutput(process.stderr, process.stderr),
  });
  const tasks = rows.map((row) => ({
    title: row.name,
    task: (_: unknown, task: Task) => follow(row, task),
    rendererOptions: { outputBar: Number.POSITIVE_INFINITY, persistentOutput: true },
  }));
  const listr = new Listr(tasks, {
    concurrent: order === 'at once',
    exitOnError: false,
    // Signals are handled in one place, by lifecycle/signals.
    registerSignalListeners: false,
    renderer: 'default',
    // It asks whether standard output is a terminal; results may go elsewhere, this goes to standard error.
    forceTTY: true,
    fallbackRendererCondition: false,
    rendererOptions: { logger, collapseSkips: false, showErrorMessage: false },
  });
  // A failed row is the build's to report.
  return listr.run().catch(() => {});
}

async function follow(row: Row, task: Task): Promise<void> {
  const ending = await row.follow({
    setTitle: (title) => {
      task.title = title;
    },
    note: (message) => {
      task.output = message;
    },
  });
  if (ending.outcome === 'skipped') {
    task.skip(ending.title);
    return;
  }
  task.title = ending.title;
  if (ending.outcome === 'failed') throw new Error(ending.title);
}
