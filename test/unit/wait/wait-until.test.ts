import { describe, expect, it } from 'vitest';
import { abortable, type Clock, waitUntil } from '../../../src/wait/wait-until.ts';

/** A clock that passes only by being slept on. */
function makeClock(): Clock & { readonly sleeps: number[] } {
  let nowMs = 0;
  const sleeps: number[] = [];
  return {
    sleeps,
    nowMs: () => nowMs,
    sleep: async (durationMs) => {
      sleeps.push(durationMs);
      nowMs += durationMs;
    },
  };
}

const never = new AbortController().signal;

describe('waitUntil', () => {
  it('gives the first value, at once where it is there', async () => {
    const clock = makeClock();
    expect(await waitUntil({ subject: 'a value', limitMs: 10, signal: never, check: () => 'there', clock })).toBe(
      'there',
    );
    expect(clock.sleeps).toEqual([]);
  });

  it('asks again until there is one', async () => {
    const clock = makeClock();
    let asked = 0;
    const check = () => (++asked === 3 ? asked : undefined);
    expect(await waitUntil({ subject: 'three', limitMs: 1_000, intervalMs: 50, signal: never, check, clock })).toBe(3);
    expect(clock.sleeps).toEqual([50, 50]);
  });

  it('ends by its limit and says what it waited for, what was last seen, and what to do', async () => {
    const waiting = waitUntil({
      subject: 'Godot',
      limitMs: 3_000,
      intervalMs: 1_000,
      hint: 'Go home.',
      signal: never,
      check: () => undefined,
      witness: () => [{ title: 'Last seen', lines: ['a tree'] }],
      clock: makeClock(),
    });
    await expect(waiting).rejects.toMatchObject({
      code: 'wait-limit',
      message: 'Waited 3 s for Godot, in vain.',
      hint: 'Go home.',
      evidence: [{ title: 'Last seen', lines: ['a tree'] }],
    });
  });

  it('ends with the reason of an abort while it sleeps', async () => {
    const controller = new AbortController();
    const reason = new Error('enough');
    setTimeout(() => controller.abort(reason), 20);
    const waiting = waitUntil({
      subject: 'nothing',
      limitMs: 60_000,
      signal: controller.signal,
      check: () => undefined,
    });
    await expect(waiting).rejects.toBe(reason);
  });

  it('ends with what the check throws', async () => {
    const check = () => {
      throw new Error('the machine is gone');
    };
    await expect(waitUntil({ subject: 'x', limitMs: 1_000, signal: never, check })).rejects.toThrow(
      'the machine is gone',
    );
  });
});

describe('abortable', () => {
  it('gives the result, or the reason of the abort', async () => {
    expect(await abortable(Promise.resolve(1), never)).toBe(1);
    const controller = new AbortController();
    const hanging = abortable(new Promise(() => {}), controller.signal);
    controller.abort(new Error('stopped'));
    await expect(hanging).rejects.toThrow('stopped');
  });

  it('leaves no failure of the work unhandled when it was aborted before', async () => {
    const unhandled: unknown[] = [];
    const note = (error: unknown): void => void unhandled.push(error);
    process.on('unhandledRejection', note);
    const reason = new Error('stopped');
    await expect(abortable(Promise.reject(new Error('work')), AbortSignal.abort(reason))).rejects.toBe(reason);
    await new Promise((resolve) => setTimeout(resolve, 20));
    process.off('unhandledRejection', note);
    expect(unhandled).toEqual([]);
  });
});
