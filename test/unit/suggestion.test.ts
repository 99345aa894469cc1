import { describe, expect, it } from 'vitest';
import { findClosestName, suggestName } from '../../src/suggestion.ts';

describe('findClosestName', () => {
  const names = ['memory', 'disk', 'debian-13', 'ubuntu-2404', 'ova', 'raw'];
  it.each([
    ['memroy', 'memory'],
    ['Memory', 'memory'],
    ['debain-13', 'debian-13'],
    ['debian-12', 'debian-13'],
    ['ovf', 'ova'],
    ['vdi', undefined],
    ['frobnicate', undefined],
  ])('%s is meant to be %s', (typed, expected) => {
    expect(findClosestName(typed, names)).toBe(expected);
  });

  it('names what there is when nothing is near', () => {
    expect(suggestName('x', ['a1', 'b2'])).toBe('Known: a1, b2.');
  });
});
