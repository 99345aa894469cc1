import { describe, expect, it } from 'vitest';
import { makeBuildsView } from '../../../src/progress/builds-view.ts';
import { type ProgressEvent, tagProgress } from '../../../src/progress/events.ts';
import type { LiveView } from '../../../src/progress/live-view.ts';
import { makePhasesView } from '../../../src/progress/phases-view.ts';

interface ShownRow {
  title: string;
  readonly notes: string[];
  end?: string;
}

/** A view whose rows are all on a screen, and the second at which it is looked at. */
function show(make: (nowMs: () => number) => LiveView) {
  const clock = { second: 0 };
  const view = make(() => clock.second * 1000);
  const shown = view.rows.map((row): ShownRow => {
    const state: ShownRow = { title: row.name, notes: [] };
    const screen = {
      setTitle: (title: string) => {
        state.title = title;
      },
      note: (message: string) => {
        state.notes.push(message);
      },
    };
    row.follow(screen).then(({ outcome, title }) => {
      state.end = `${outcome}: ${title}`;
    });
    return state;
  });
  const at = async (second: number, ...events: readonly ProgressEvent[]): Promise<ShownRow[]> => {
    clock.second = second;
    for (const event of events) view.progress(event);
    view.refresh();
    await new Promise((resolve) => setImmediate(resolve));
    return shown;
  };
  return { view, at, titles: async (second: number) => (await at(second)).map(({ title }) => title) };
}

describe('the view of one build', () => {
  it('has a row a phase', async () => {
    const { view, at } = show((nowMs) => makePhasesView(['media', 'install', 'seal', 'export'], nowMs));
    await at(0, { type: 'log', level: 'info', message: 'accelerator: tcg' });
    await at(1, { type: 'phase-started', phase: 'install', title: 'Install Debian 13', estimateSeconds: 900 });
    await at(2, { type: 'phase-progress', phase: 'install', activity: 'partitioning', fraction: 0.5 });
    const [media, install] = await at(61, { type: 'log', level: 'warning', message: 'the mirror is slow' });
    expect(media).toEqual({ title: 'media', notes: ['accelerator: tcg'], end: 'skipped: media (nothing to do)' });
    expect(install).toEqual({
      title: 'Install Debian 13: partitioning, 50 %, 1 min 0 s of about 15 min 0 s',
      notes: ['the mirror is slow'],
    });
    await at(
      62,
      { type: 'phase-finished', phase: 'install', seconds: 61, note: '190 MB fetched' },
      { type: 'phase-started', phase: 'seal', title: 'Seal' },
    );
    await at(63, { type: 'phase-failed', phase: 'seal', seconds: 1 });
    view.close();
    expect((await at(64)).map(({ end }) => end)).toEqual([
      'skipped: media (nothing to do)',
      'done: Install Debian 13 (1 min 1 s, 190 MB fetched)',
      'failed: Seal (failed after 1 s)',
      'skipped: export (not reached)',
    ]);
  });
});

describe('the view of several builds', () => {
  it('has a row a build, with its phase, and warnings below', async () => {
    const { view, at, titles } = show((nowMs) => makeBuildsView(['web', 'db', 'ci'], nowMs));
    const web = tagProgress(view.progress, 'web');
    const db = tagProgress(view.progress, 'db');
    expect(await titles(0)).toEqual(['web: waits', 'db: waits', 'ci: waits']);
    web({ type: 'build-started', name: 'web', phases: ['install'] });
    web({ type: 'phase-started', phase: 'install', title: 'Install Debian 13', estimateSeconds: 900 });
    db({ type: 'phase-progress', phase: 'install', activity: 'waits for memory' });
    web({ type: 'phase-progress', phase: 'install', activity: 'partitioning', fraction: 0.5 });
    web({ type: 'log', level: 'info', message: 'accelerator: tcg' });
    web({ type: 'log', level: 'warning', message: 'the mirror is slow' });
    expect(await titles(60)).toEqual([
      'web: install: partitioning, 50 %, 1 min 0 s of about 15 min 0 s',
      'db: install: waits for memory, 1 min 0 s',
      'ci: waits',
    ]);
    web({ type: 'phase-finished', phase: 'install', seconds: 60 });
    expect((await titles(61))[0]).toBe('web');
    web({ type: 'build-finished', outcome: 'built', seconds: 61 });
    db({ type: 'phase-failed', phase: 'install', seconds: 61 });
    db({
      type: 'build-finished',
      outcome: 'failed',
      seconds: 61,
      message: 'The installer\u001b[31m stopped.\nIt did.',
    });
    const rows = await at(62, { type: 'log', level: 'info', message: 'SIGINT: stopping' });
    expect(rows).toEqual([
      { title: 'web', notes: ['warning: the mirror is slow'], end: 'done: web (built in 1 min 1 s)' },
      { title: 'db', notes: [], end: 'failed: db (failed after 1 min 1 s: The installer stopped.)' },
      { title: 'ci: waits', notes: ['SIGINT: stopping'] },
    ]);
    view.close();
    expect((await at(63))[2]).toMatchObject({ title: 'ci', end: 'skipped: ci (not built)' });
  });

  it.each([
    ['cached', 'done: web (all found in the cache in 3 s)'],
    ['cancelled', 'skipped: web (cancelled after 3 s)'],
  ] as const)('ends a build that is %s', async (outcome, end) => {
    const { at } = show((nowMs) => makeBuildsView(['web'], nowMs));
    const [row] = await at(3, { type: 'build-finished', build: 'web', outcome, seconds: 3 });
    expect(row?.end).toBe(end);
  });
});
