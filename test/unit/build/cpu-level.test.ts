import { describe, expect, it } from 'vitest';
import { findEmulationObstacle, findHostObstacle } from '../../../src/build/cpu-level.ts';
import { cpuLevelOf } from '../../../src/host/cpu-level.ts';

const level2 = 'fpu cx16 lahf_lm popcnt pni sse4_1 sse4_2 ssse3'.split(' ');
const level3 = [...level2, ...'abm avx avx2 bmi1 bmi2 f16c fma movbe xsave'.split(' ')];

describe('the level of x86-64', () => {
  it.each([
    ['an old processor', ['fpu', 'sse2'], 1],
    ['x86-64-v2', level2, 2],
    ['x86-64-v3', level3, 3],
    ['v3 without one flag of it', level3.filter((flag) => flag !== 'avx2'), 2],
    ['v3 without one flag of v2', level3.filter((flag) => flag !== 'ssse3'), 1],
  ])('of %s', (_, flags, level) => {
    expect(cpuLevelOf(flags)).toBe(level);
  });

  it.each([
    [3, '7.1.0', true],
    [3, '6.2.0', true],
    [3, '7.2.22', false],
    [3, '10.0.13', false],
    [2, '5.2.0', false],
  ])('%i can be emulated or not by QEMU %s', (level, version, isObstacle) => {
    expect(findEmulationObstacle(level, version) !== undefined).toBe(isObstacle);
  });

  it('of this host is enough, too little, or not known', () => {
    expect(findHostObstacle(3, 3)).toBeUndefined();
    expect(findHostObstacle(3, 2)?.reason).toBe("this host's is x86-64-v2");
    expect(findHostObstacle(3, undefined)).toBeUndefined();
  });
});
