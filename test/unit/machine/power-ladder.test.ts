import { describe, expect, it } from 'vitest';
import { descend } from '../../../src/machine/power-ladder.ts';

/** A thing that ends when the named rung is tried. */
function makeMachine(endsBy: string) {
  const tried: string[] = [];
  let end = (_how: string): void => {};
  const exited = new Promise<string>((resolve) => {
    end = resolve;
  });
  const rung = (name: string, limitMs = 20, act: () => unknown = () => {}) => ({
    name,
    limitMs,
    act: () => {
      tried.push(name);
      if (name === endsBy) end(name);
      return act();
    },
  });
  return { exited, tried, rung };
}

describe('descend', () => {
  it.each(['button', 'quit', 'SIGTERM', 'SIGKILL'])('stops at the first rung that works: %s', async (endsBy) => {
    const { exited, tried, rung } = makeMachine(endsBy);
    const rungs = ['button', 'quit', 'SIGTERM', 'SIGKILL'].map((name) => rung(name));
    expect(await descend(rungs, exited)).toBe(endsBy);
    expect(tried.at(-1)).toBe(endsBy);
  });

  it('leaves a rung that fails at once', async () => {
    const { exited, rung } = makeMachine('quit');
    const startedMs = performance.now();
    await descend([rung('button', 60_000, () => Promise.reject(new Error('no'))), rung('quit')], exited);
    expect(performance.now() - startedMs).toBeLessThan(1_000);
  });

  it('does not wait for an act without an answer longer than its limit', async () => {
    const { exited, rung } = makeMachine('SIGKILL');
    const never = new Promise(() => {});
    expect(await descend([rung('quit', 20, () => never), rung('SIGKILL')], exited)).toBe('SIGKILL');
  });

  it('says what it tried when nothing works', async () => {
    const { exited, rung } = makeMachine('nothing');
    await expect(descend([rung('SIGTERM', 5), rung('SIGKILL', 5)], exited)).rejects.toMatchObject({
      code: 'machine-stuck',
      message: 'QEMU did not end by SIGTERM, SIGKILL.',
    });
  });
});
