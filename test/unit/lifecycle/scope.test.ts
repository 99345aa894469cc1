import { describe, expect, it } from 'vitest';
import { Scope, withScope } from '../../../src/lifecycle/scope.ts';

describe('Scope', () => {
  it('undoes newest first, past failures, and reports all of them', async () => {
    const scope = new Scope();
    const order: string[] = [];
    scope.defer('first', () => void order.push('first'));
    scope.defer('broken', () => {
      order.push('broken');
      throw new Error('no');
    });
    scope.defer('last', async () => void order.push('last'));
    await expect(scope.close()).rejects.toThrow('Could not undo: broken');
    expect(order).toEqual(['last', 'broken', 'first']);
  });

  it('runs each undo once, however often it is closed', async () => {
    const scope = new Scope();
    let runs = 0;
    scope.defer('count', () => void runs++);
    await Promise.all([scope.close(), scope.close()]);
    await scope.close();
    expect(runs).toBe(1);
  });

  it('refuses what is registered too late: it would never be undone', async () => {
    const scope = new Scope();
    await scope.close();
    expect(() => scope.defer('late', () => {})).toThrow('late');
  });
});

describe('withScope', () => {
  it('keeps the error of the work when the clean-up fails as well, and tells the other', async () => {
    const told: unknown[] = [];
    const work = withScope(
      async (scope) => {
        scope.defer('broken', () => {
          throw new Error('clean-up');
        });
        throw new Error('work');
      },
      (error) => told.push(error),
    );
    await expect(work).rejects.toThrow('work');
    expect(String(told[0])).toContain('Could not undo: broken');
  });
});
