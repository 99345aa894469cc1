import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type HostPool, type HostShare, makeHostPool } from '../../../src/build/host-pool.ts';

const gibibyte = 2 ** 30;
const host: HostShare = { cpus: 4, memoryBytes: 8 * gibibyte };
const never = new AbortController().signal;

/** Lets everything that can go on go on: grants travel by promises alone. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Takes without waiting for the grant. */
function ask(pool: HostPool, needs: HostShare, signal: AbortSignal = never) {
  const state: { release?: () => void; error?: unknown } = {};
  pool.take(needs, signal).then(
    (release) => {
      state.release = release;
    },
    (error: unknown) => {
      state.error = error;
    },
  );
  return state;
}

describe('makeHostPool', () => {
  it('lets run at once what fits, and the rest in its turn', async () => {
    const pool = makeHostPool(host);
    const asked = [1, 2, 3].map(() => ask(pool, { cpus: 2, memoryBytes: gibibyte }));
    await settle();
    expect(asked.map(({ release }) => release !== undefined)).toEqual([true, true, false]);
    asked[0]?.release?.();
    await settle();
    expect(asked[2]?.release).toBeDefined();
  });

  it('counts memory as well as cores', async () => {
    const pool = makeHostPool(host);
    ask(pool, { cpus: 1, memoryBytes: 5 * gibibyte });
    const second = ask(pool, { cpus: 1, memoryBytes: 4 * gibibyte });
    await settle();
    expect(second.release).toBeUndefined();
  });

  it('lets nobody overtake a large share that waits', async () => {
    const pool = makeHostPool(host);
    const small = ask(pool, { cpus: 1, memoryBytes: gibibyte });
    const large = ask(pool, { cpus: 4, memoryBytes: gibibyte });
    const late = ask(pool, { cpus: 1, memoryBytes: gibibyte });
    await settle();
    expect(late.release).toBeUndefined();
    small.release?.();
    await settle();
    expect([large.release !== undefined, late.release !== undefined]).toEqual([true, false]);
    large.release?.();
    await settle();
    expect(late.release).toBeDefined();
  });

  it('gives the whole host to a share that is larger', async () => {
    const pool = makeHostPool(host);
    const huge = ask(pool, { cpus: 64, memoryBytes: 64 * gibibyte });
    const next = ask(pool, { cpus: 1, memoryBytes: 1 });
    await settle();
    expect([huge.release !== undefined, next.release !== undefined]).toEqual([true, false]);
    huge.release?.();
    await settle();
    expect(next.release).toBeDefined();
  });

  it('takes a share back once', async () => {
    const pool = makeHostPool(host);
    const first = ask(pool, { cpus: 2, memoryBytes: gibibyte });
    ask(pool, { cpus: 2, memoryBytes: gibibyte });
    await settle();
    first.release?.();
    first.release?.();
    const [third, fourth] = [1, 2].map(() => ask(pool, { cpus: 2, memoryBytes: gibibyte }));
    await settle();
    expect([third?.release !== undefined, fourth?.release !== undefined]).toEqual([true, false]);
  });

  it('forgets who gave up waiting, and goes on with those behind', async () => {
    const pool = makeHostPool(host);
    ask(pool, { cpus: 2, memoryBytes: gibibyte });
    const abort = new AbortController();
    const large = ask(pool, { cpus: 4, memoryBytes: gibibyte }, abort.signal);
    const behind = ask(pool, { cpus: 2, memoryBytes: gibibyte });
    await settle();
    expect(behind.release).toBeUndefined();
    const reason = new Error('interrupted');
    abort.abort(reason);
    await settle();
    expect(large).toEqual({ error: reason });
    expect(behind.release).toBeDefined();
  });

  it('gives nothing to whom is aborted already, and takes nothing from whom is aborted later', async () => {
    const pool = makeHostPool(host);
    const early = ask(pool, host, AbortSignal.abort('early'));
    const abort = new AbortController();
    const running = ask(pool, host, abort.signal);
    await settle();
    abort.abort('late');
    const next = ask(pool, host);
    await settle();
    expect(early).toEqual({ error: 'early' });
    expect(running.release).toBeDefined();
    expect(next.release).toBeUndefined();
    running.release?.();
    await settle();
    expect(next.release).toBeDefined();
  });
});

type Step = readonly ['take', HostShare] | readonly ['release' | 'abort', number];

const share = fc.record({ cpus: fc.integer({ min: 1, max: 6 }), memoryBytes: fc.integer({ min: 1, max: 12 }) });
const steps = fc.array(
  fc.oneof(
    fc.tuple(fc.constant('take' as const), share),
    fc.tuple(fc.constantFrom('release' as const, 'abort' as const), fc.nat(15)),
  ),
  { maxLength: 40 },
);

/** What the pool must look like from outside, with every share in the order of asking. */
class Model {
  readonly limits: HostShare = { cpus: 4, memoryBytes: 8 };
  readonly pool = makeHostPool(this.limits);
  readonly asked: { needs: HostShare; abort: AbortController; state: ReturnType<typeof ask>; isOver: boolean }[] = [];

  run([kind, argument]: Step): void {
    if (kind === 'take') {
      const abort = new AbortController();
      this.asked.push({ needs: argument, abort, state: ask(this.pool, argument, abort.signal), isOver: false });
      return;
    }
    const one = this.asked[argument % Math.max(this.asked.length, 1)];
    if (kind === 'abort') one?.abort.abort('gave up');
    else if (one?.state.release) {
      one.state.release();
      one.isOver = true;
    }
  }

  check(): void {
    const held = this.asked
      .filter(({ state, isOver }) => state.release && !isOver)
      .map(({ needs }) => this.limited(needs));
    const used = {
      cpus: held.reduce((sum, { cpus }) => sum + cpus, 0),
      memoryBytes: held.reduce((sum, { memoryBytes }) => sum + memoryBytes, 0),
    };
    expect(used.cpus).toBeLessThanOrEqual(this.limits.cpus);
    expect(used.memoryBytes).toBeLessThanOrEqual(this.limits.memoryBytes);
    const waiting = this.asked.filter(({ state }) => !state.release && !('error' in state));
    const first = waiting[0] && this.limited(waiting[0].needs);
    // Nobody waits for what is free.
    if (first) {
      const couldRun =
        used.cpus + first.cpus <= this.limits.cpus && used.memoryBytes + first.memoryBytes <= this.limits.memoryBytes;
      expect(couldRun).toBe(false);
    }
    // And nobody came before the first who waits.
    const grantedLater = this.asked.slice(waiting[0] ? this.asked.indexOf(waiting[0]) : this.asked.length);
    expect(grantedLater.filter(({ state }) => state.release)).toEqual([]);
  }

  private limited({ cpus, memoryBytes }: HostShare): HostShare {
    return { cpus: Math.min(cpus, this.limits.cpus), memoryBytes: Math.min(memoryBytes, this.limits.memoryBytes) };
  }
}

describe('a host pool, whatever happens', () => {
  it('is never over its budget, keeps the order, and serves everybody in the end', async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (list) => {
        const model = new Model();
        for (const step of list) {
          model.run(step);
          await settle();
          model.check();
        }
        for (const [index] of model.asked.entries()) {
          model.run(['release', index]);
          await settle();
          model.check();
        }
        expect(model.asked.filter(({ state }) => !state.release && !('error' in state))).toEqual([]);
        // Nothing is held by anybody: the whole host is to be had.
        const all = ask(model.pool, model.limits);
        await settle();
        expect(all.release).toBeDefined();
      }),
      { numRuns: 200 },
    );
  });
});
