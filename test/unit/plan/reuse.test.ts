import { describe, expect, it } from 'vitest';
import { makeReuseRule } from '../../../src/plan/reuse.ts';
import { makeRecipe } from './plan-inputs.ts';

const now = new Date('2026-01-31T00:00:00Z');
const plan = { cache: 'use', offline: false, phases: {}, recipe: makeRecipe() } as const;
const install = { phase: 'install', readsMirror: true } as const;

describe('a layer that has read the mirror', () => {
  it('expires', () => {
    expect(makeReuseRule(plan, now)(install).since).toEqual(new Date('2026-01-24T00:00:00Z'));
  });

  it.each([
    ['offline, where it would be made of the same files', { offline: true }],
    ['by a recipe that says so', { recipe: makeRecipe({ expires: 'never' }) }],
  ])('never does %s', (_, change) => {
    expect(makeReuseRule({ ...plan, ...change }, now)(install).since).toBeUndefined();
  });

  it.each([
    ['--no-cache', { cache: 'ignore' as const }],
    ['--refresh', { cache: 'refresh' as const }],
    ['--from', { phases: { from: 'install' as const } }],
  ])('is made again by %s, offline too', (_, change) => {
    expect(makeReuseRule({ ...plan, offline: true, ...change }, now)(install).since).toEqual(now);
  });
});
