import { describe, expect, it } from 'vitest';
import { describeProgress } from '../../../src/progress/describe-progress.ts';
import { type ProgressEvent, tagProgress } from '../../../src/progress/events.ts';
import { startJsonProgress } from '../../../src/progress/json.ts';
import { startPlainProgress } from '../../../src/progress/plain.ts';
import type { ProgressRenderer, RendererOptions } from '../../../src/progress/renderer.ts';

/** A build in eleven events, each with the second in which it happens. */
const events: readonly (readonly [number, ProgressEvent])[] = [
  [0, { type: 'build-started', name: 'web', phases: ['media', 'install'] }],
  [0, { type: 'log', level: 'info', message: 'accelerator: tcg' }],
  [1, { type: 'phase-started', phase: 'install', title: 'Install Debian 13', estimateSeconds: 944 }],
  [2, { type: 'phase-progress', phase: 'install', activity: 'partitioning', fraction: 0.149 }],
  [3, { type: 'phase-progress', phase: 'install', activity: 'too soon for a line' }],
  [8, { type: 'phase-progress', phase: 'install', fraction: 0.2 }],
  [9, { type: 'phase-progress', phase: 'install', activity: 'installing packages' }],
  [10, { type: 'log', level: 'debug', message: 'qemu-system-x86_64 ...' }],
  [11, { type: 'log', level: 'warning', message: 'the mirror is slow' }],
  [3661, { type: 'phase-finished', phase: 'install', seconds: 3660, note: '190 MB fetched' }],
  [3662, { type: 'phase-failed', phase: 'seal', seconds: 2 }],
];

/** Two builds at once, of which only one starts. */
const eventsOfTwo: readonly (readonly [number, ProgressEvent])[] = (() => {
  const list: [number, ProgressEvent][] = [[0, { type: 'builds-started', names: ['web', 'db'] }]];
  const add = (second: number, build: string, event: ProgressEvent): void =>
    tagProgress((tagged) => list.push([second, tagged]), build)(event);
  add(0, 'web', { type: 'build-started', name: 'web', phases: ['media', 'install'] });
  add(1, 'web', { type: 'phase-progress', phase: 'install', activity: 'partitioning' });
  add(2, 'db', { type: 'phase-progress', phase: 'install', activity: 'partitioning' });
  add(3, 'web', { type: 'phase-progress', phase: 'install', activity: 'too soon for a line' });
  add(4, 'db', { type: 'log', level: 'warning', message: 'the mirror is slow' });
  add(5, 'web', { type: 'build-finished', outcome: 'built', seconds: 5 });
  add(6, 'db', { type: 'build-finished', outcome: 'failed', seconds: 4, message: 'The disk is full.\nIndeed.' });
  return list;
})();

function show(start: (options: RendererOptions) => ProgressRenderer, debug = false, shown = events): string[] {
  let second = 0;
  let text = '';
  const write = (part: string): void => {
    text += part;
  };
  const { progress } = start({ write, nowMs: () => 5_000 + second * 1000, debug });
  for (const [at, event] of shown) {
    second = at;
    progress(event);
  }
  return text.trimEnd().split('\n');
}

describe('startPlainProgress', () => {
  it('writes a line now and then, with the time', () => {
    expect(show(startPlainProgress)).toEqual([
      '[00:00] building web: media, install',
      '[00:00] accelerator: tcg',
      '[00:01] install: Install Debian 13 (about 15 min 44 s)',
      '[00:02] install: partitioning (14 %)',
      '[00:09] install: installing packages',
      '[00:11] warning: the mirror is slow',
      '[1:01:01] install: done in 1 h 1 min, 190 MB fetched',
      '[1:01:02] seal: failed after 2 s',
    ]);
  });

  it.each<[string, readonly string[], ProgressEvent]>([
    ['has gone well', ['[01:00] built in 1 min 0 s'], { type: 'build-finished', outcome: 'built', seconds: 60 }],
    // The command itself tells it, as text of many lines.
    ['has failed', [''], { type: 'build-finished', outcome: 'failed', seconds: 60, message: 'The disk is full.' }],
  ])('writes the end of a single build only where that %s', (_, lines, event) => {
    expect(show(startPlainProgress, false, [[60, event]])).toEqual(lines);
  });

  it('writes debug lines where they are wanted', () => {
    expect(show(startPlainProgress, true)).toContain('[00:10] debug: qemu-system-x86_64 ...');
  });
});

describe('several builds', () => {
  it('have their names before their lines, and each its own pace', () => {
    expect(show(startPlainProgress, false, eventsOfTwo)).toEqual([
      '[00:00] building 2 images: web, db',
      '[00:00] web: building: media, install',
      '[00:01] web: install: partitioning',
      '[00:02] db: install: partitioning',
      '[00:04] db: warning: the mirror is slow',
      '[00:05] web: built in 5 s',
      '[00:06] db: failed after 4 s: The disk is full.',
    ]);
  });

  it('have their names in the objects', () => {
    const objects = show(startJsonProgress, false, eventsOfTwo).map((line) => JSON.parse(line));
    expect(objects.map(({ build }) => build)).toEqual([undefined, 'web', 'web', 'db', 'web', 'db', 'web', 'db']);
    expect(objects[0]).toEqual({ elapsedSeconds: 0, type: 'builds-started', names: ['web', 'db'] });
  });
});

describe('startJsonProgress', () => {
  it('writes every event as an object a line', () => {
    const lines = show(startJsonProgress).map((line) => JSON.parse(line));
    expect(lines).toHaveLength(events.length - 1);
    expect(lines[3]).toEqual({
      elapsedSeconds: 2,
      type: 'phase-progress',
      phase: 'install',
      activity: 'partitioning',
      fraction: 0.149,
    });
  });
});

describe('describeProgress', () => {
  it.each([
    [
      { activity: 'partitioning', fraction: 0.5, elapsedSeconds: 60, estimateSeconds: 120 },
      'partitioning, 50 %, 1 min 0 s of about 2 min 0 s',
    ],
    [{ activity: undefined, fraction: undefined, elapsedSeconds: 3, estimateSeconds: undefined }, '3 s'],
  ])('says what is known', (state, text) => {
    expect(describeProgress(state)).toBe(text);
  });
});
