import { describe, expect, it } from 'vitest';
import { formatSeconds, formatSize, parseDurationMs, parseSizeBytes, waitMs } from '../../../src/recipe/quantities.ts';

describe('parseSizeBytes', () => {
  it.each([
    ['8GiB', 2 ** 33],
    ['8G', 2 ** 33],
    ['8 gib', 2 ** 33],
    ['1.5M', 1572864],
    ['512', 512],
    ['2TB', 2 ** 41],
    ['x', undefined],
    ['8GG', undefined],
    ['-1', undefined],
    ['', undefined],
  ])('%j is %j', (text, bytes) => {
    expect(parseSizeBytes(text)).toBe(bytes);
  });
});

describe('parseDurationMs', () => {
  it.each([
    ['90s', 90_000],
    ['1.5h', 5_400_000],
    ['500ms', 500],
    ['10', undefined],
    ['soon', undefined],
  ])('%j is %j', (text, ms) => {
    expect(parseDurationMs(text)).toBe(ms);
  });
});

describe('waitMs', () => {
  it.each(['1s', '24d', 1000])('takes %j', (time) => {
    expect(waitMs.safeParse(time).success).toBe(true);
  });

  it.each(['999ms', '24.1d', 10, 2 ** 31, 'soon'])('refuses %j', (time) => {
    expect(waitMs.safeParse(time).success).toBe(false);
  });
});

describe('formatSize and formatSeconds', () => {
  it.each([
    [0, '0 B'],
    [1536, '1.5 KiB'],
    [2 ** 33, '8.0 GiB'],
    [200 * 2 ** 20, '200 MiB'],
  ])('%d bytes are %s', (bytes, text) => {
    expect(formatSize(bytes)).toBe(text);
  });

  it.each([
    [0.4, '0 s'],
    [59.6, '1 min 0 s'],
    [944, '15 min 44 s'],
    [3725, '1 h 2 min'],
  ])('%d seconds are %s', (seconds, text) => {
    expect(formatSeconds(seconds)).toBe(text);
  });
});
