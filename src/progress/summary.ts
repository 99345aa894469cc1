import { formatSeconds } from '../recipe/quantities.ts';
import { firstLine } from './describe-outcome.ts';
import { type BuildOutcome, buildOutcomes, type PhaseName } from './events.ts';

/** How one of several builds ended. */
export interface BuildSummary {
  readonly name: string;
  readonly outcome: BuildOutcome;
  readonly seconds: number;
  /** What it did not do again, in the user's words: `install`, `step 1`. */
  readonly reused?: readonly string[];
  /** The phase in which it failed, where it had come to any. */
  readonly failedIn?: PhaseName;
  /** Why it failed. */
  readonly message?: string;
}

/** A table for the end of several builds, a line each and one that counts; in the order given. */
export function summarize(results: readonly BuildSummary[]): string[] {
  const rows = results.map((result) => [
    result.name,
    result.outcome,
    formatSeconds(result.seconds),
    describeDetail(result),
  ]);
  const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const lines = rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  return [...lines, countOutcomes(results)];
}

function describeDetail({ reused = [], failedIn, message }: BuildSummary): string {
  const place = failedIn === undefined ? '' : `in ${failedIn}`;
  const why = [place, message === undefined ? '' : firstLine(message)].filter((part) => part !== '').join(': ');
  const found = reused.length === 0 ? '' : `from the cache: ${reused.join(', ')}`;
  return [why, found].filter((part) => part !== '').join('; ');
}

/** `3 images: 1 built, 1 failed, 1 cancelled`. */
function countOutcomes(results: readonly BuildSummary[]): string {
  const counts = buildOutcomes
    .map((outcome) => ({ outcome, count: results.filter((result) => result.outcome === outcome).length }))
    .filter(({ count }) => count > 0)
    .map(({ outcome, count }) => `${count} ${outcome}`);
  return `${results.length} ${results.length === 1 ? 'image' : 'images'}: ${counts.join(', ')}`;
}
