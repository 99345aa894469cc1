import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { makePhaseClock } from '../../../src/build/phase-clock.ts';
import type { Timings } from '../../../src/build/timings.ts';
import type { ProgressEvent } from '../../../src/progress/events.ts';

const noTimings = { estimateSeconds: () => undefined, record: async () => {} };

describe('the phase clock', () => {
  it('tells one start and one end of a phase that is worked at several times, and adds up its seconds', async () => {
    const events: ProgressEvent[] = [];
    const clock = makePhaseClock((event) => events.push(event), noTimings);
    for (const _ of [1, 2]) await clock.run('provision', 'Provision', () => sleep(120));
    await clock.run('seal', 'Seal', () => sleep(1));
    clock.finish();
    expect(events.map((event) => `${event.type} ${'phase' in event ? event.phase : ''}`)).toEqual([
      'phase-started provision',
      'phase-finished provision',
      'phase-started seal',
      'phase-finished seal',
    ]);
    expect(clock.seconds().provision).toBeGreaterThan(0.15);
  });

  it('knows the seconds of the phase that is at work, for the manifest that this phase writes', async () => {
    const clock = makePhaseClock(() => {}, noTimings);
    const seen = await clock.run('export', 'Write', async () => {
      await sleep(120);
      return clock.seconds();
    });
    expect(Object.keys(seen)).toEqual(['export']);
    expect(seen.export).toBeGreaterThan(0);
  });

  it('tells a failure, and does not count it', async () => {
    const events: ProgressEvent[] = [];
    const clock = makePhaseClock((event) => events.push(event), noTimings);
    await expect(clock.run('seal', 'Seal', () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    clock.finish();
    expect(events.map(({ type }) => type)).toEqual(['phase-started', 'phase-failed']);
    expect(clock.seconds()).toEqual({});
  });
});

describe('what the phase clock keeps for the estimates of later builds', () => {
  const keeper = (estimate?: number) => {
    const kept: unknown[] = [];
    const events: ProgressEvent[] = [];
    const timings: Timings = {
      estimateSeconds: () => estimate,
      record: async (seconds, worked) => void kept.push(Object.keys(seconds), worked),
    };
    return { kept, events, clock: makePhaseClock((event) => events.push(event), timings) };
  };

  it('is whole phases: none of which a part was there already', async () => {
    const { kept, clock } = keeper();
    clock.reuse('provision');
    for (const phase of ['provision', 'seal', 'verify'] as const) await clock.run(phase, phase, () => sleep(1));
    clock.finish();
    await clock.record();
    expect(kept).toEqual([
      ['seal', 'verify'],
      ['provision', 'seal', 'verify'],
    ]);
  });

  it('is, of a build that fails, what had ended before', async () => {
    const { kept, clock } = keeper();
    await clock.run('install', 'Install', () => sleep(1));
    await clock.run('provision', 'First step', () => sleep(1));
    await clock.run('provision', 'Second step', () => Promise.reject(new Error('no'))).catch(() => {});
    await clock.record();
    expect(kept[0]).toEqual(['install']);
  });

  it('is not told of a phase that is in part there', async () => {
    const { events, clock } = keeper(300);
    clock.reuse('provision');
    await clock.run('provision', 'Provision', () => sleep(1));
    await clock.run('seal', 'Seal', () => sleep(1));
    const estimates = events.flatMap((event) => (event.type === 'phase-started' ? [event.estimateSeconds] : []));
    expect(estimates).toEqual([undefined, 300]);
  });
});
