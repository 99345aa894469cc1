import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { awaitLastWords } from '../../../src/build/installers/last-words.ts';
import { KvmimgError } from '../../../src/errors.ts';
import { Scope } from '../../../src/lifecycle/scope.ts';

const failure = (message: string) => new KvmimgError({ code: 'installer-error', message });

let scope: Scope;
let failed: string[];
beforeEach(() => {
  vi.useFakeTimers();
  scope = new Scope();
  failed = [];
});
afterEach(async () => {
  await scope.close();
  vi.useRealTimers();
});

const start = (saysLast: string | undefined) => awaitLastWords(saysLast, ({ message }) => failed.push(message), scope);

describe('the last words of an installer', () => {
  it('are not awaited of one that has none', () => {
    start(undefined).hold(failure('one'));
    expect(failed).toEqual(['one']);
  });

  it('let go of the first failure when they come', () => {
    const words = start('onerror');
    words.hold(failure('one'));
    words.hold(failure('what came of it'));
    expect(words.held()?.message).toBe('one');
    words.hear('log/anaconda.log');
    expect(failed).toEqual([]);
    words.hear('onerror');
    expect(failed).toEqual(['one']);
  });

  it('are awaited for a few seconds', () => {
    start('onerror').hold(failure('one'));
    vi.advanceTimersByTime(4_900);
    expect(failed).toEqual([]);
    vi.advanceTimersByTime(200);
    expect(failed).toEqual(['one']);
  });

  it('are awaited no more when the build is over', async () => {
    start('onerror').hold(failure('one'));
    await scope.close();
    vi.advanceTimersByTime(10_000);
    expect(failed).toEqual([]);
  });
});
