import { setTimeout as sleepTimer } from 'node:timers/promises';
import { type Evidence, KvmimgError } from '../errors.ts';

/** Time, injected so that waits can be tested without waiting. */
export interface Clock {
  readonly nowMs: () => number;
  readonly sleep: (durationMs: number, signal?: AbortSignal) => Promise<void>;
}

export const systemClock: Clock = {
  nowMs: () => performance.now(),
  sleep: (durationMs, signal) => sleepTimer(durationMs, undefined, signal ? { signal } : {}),
};

/** One thing that is waited for. Each wait names its subject, ends by its limit, and says what was last seen. */
export interface Wait<T> {
  /** Completes the sentence "Waited N s for …". */
  readonly subject: string;
  readonly limitMs: number;
  readonly hint?: string;
  readonly signal: AbortSignal;
  /** Asked again and again; a value ends the wait, undefined goes on, a throw ends it with that error. */
  readonly check: () => Promise<T | undefined> | T | undefined;
  readonly intervalMs?: number;
  /** What was last seen, for the error. */
  readonly witness?: () => readonly Evidence[];
  readonly clock?: Clock;
}

/**
 * The one waiting loop.
 *
 * @throws KvmimgError `wait-limit` when the limit passes; the signal's reason when it is aborted; what `check` throws.
 */
export async function waitUntil<T>(wait: Wait<T>): Promise<T> {
  const clock = wait.clock ?? systemClock;
  const deadlineMs = clock.nowMs() + wait.limitMs;
  for (;;) {
    wait.signal.throwIfAborted();
    const value = await wait.check();
    if (value !== undefined) return value;
    if (clock.nowMs() >= deadlineMs) throw limitPassed(wait);
    await clock.sleep(wait.intervalMs ?? 100, wait.signal).catch((error: unknown) => {
      wait.signal.throwIfAborted();
      throw error;
    });
  }
}

/** Races `work` against the abort of `signal`, whose reason becomes the error. */
export async function abortable<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  // Whoever leaves first, the other's failure must not end the process as one that nobody handles.
  work.catch(() => {});
  signal.throwIfAborted();
  let onAbort = (): void => {};
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

function limitPassed<T>(wait: Wait<T>): KvmimgError {
  return new KvmimgError({
    code: 'wait-limit',
    message: `Waited ${Math.round(wait.limitMs / 1000)} s for ${wait.subject}, in vain.`,
    hint: wait.hint,
    evidence: wait.witness?.() ?? [],
  });
}
