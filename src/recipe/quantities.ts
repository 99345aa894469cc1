import { z } from 'zod';

const sizeUnits = { '': 1, B: 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 } as const;
const durationUnits = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** Bytes of `8GiB`, `512M`, `1048576`; binary units in every spelling, undefined where it is not a size. */
export function parseSizeBytes(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*([BKMGT]?)(?:i?B)?$/i.exec(text.trim());
  const unit = sizeUnits[(match?.[2] ?? '').toUpperCase() as keyof typeof sizeUnits];
  return match?.[1] === undefined ? undefined : Math.round(Number(match[1]) * unit);
}

/** Milliseconds of `90s`, `10m`, `2h`, `7d`, `500ms`; undefined where it is not a duration. */
export function parseDurationMs(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)$/.exec(text.trim());
  if (match?.[1] === undefined) return undefined;
  return Math.round(Number(match[1]) * durationUnits[match[2] as keyof typeof durationUnits]);
}

/** `2.3 GiB`, `14 MiB`, `512 B`. */
export function formatSize(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const power = Math.min(bytes < 1 ? 0 : Math.floor(Math.log2(bytes) / 10), units.length - 1);
  const value = bytes / 2 ** (10 * power);
  return `${power === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[power]}`;
}

/** `48 s`, `12 min 5 s`, `1 h 2 min`. */
export function formatSeconds(seconds: number): string {
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

function quantity(parse: (text: string) => number | undefined, expected: string) {
  return z
    .union([z.string(), z.int().positive({ error: expected })], { error: expected })
    .transform((value, context) => {
      const parsed = typeof value === 'number' ? value : parse(value);
      if (parsed !== undefined && parsed > 0) return parsed;
      context.addIssue({ code: 'custom', message: expected });
      return z.NEVER;
    });
}

/** In a recipe a size is `8GiB` or a number of bytes; parsed to bytes. */
export const sizeBytes = quantity(parseSizeBytes, 'must be a size such as 8GiB').refine(
  (bytes) => bytes >= sizeUnits.M,
  { error: 'must be at least 1 MiB' },
);
/** In a recipe a duration is `10m` or a number of milliseconds; parsed to milliseconds. */
export const durationMs = quantity(parseDurationMs, 'must be a duration such as 90s, 10m or 2h');
/** How long something is waited for: Node's timers end at once when they are to last 2^31 ms, 24.8 days. */
export const waitMs = durationMs
  .refine((ms) => ms >= durationUnits.s, { error: 'must be at least 1s' })
  .refine((ms) => ms <= 24 * durationUnits.d, { error: 'must be at most 24d' });
