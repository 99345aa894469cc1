import type { Check, Examination } from './check.ts';

/** One line an item, aligned; below what is not well: why it matters, and the command that cures it. */
export function renderChecks(checks: readonly Check[]): string[] {
  const statusWidth = Math.max(...checks.map((check) => check.status.length));
  const itemWidth = Math.max(...checks.map((check) => check.item.length));
  const indent = ' '.repeat(statusWidth + itemWidth + 4);
  return checks.flatMap((check) => [
    `${check.status.padEnd(statusWidth)}  ${check.item.padEnd(itemWidth)}  ${check.found}`,
    ...(check.status === 'ok' ? [] : [`${indent}${check.why}`]),
    ...(check.command === undefined ? [] : [`${indent}Run: ${check.command}`]),
  ]);
}

/** The last line: whether a build can start, and how to get there. */
export function renderVerdict({ ready, accel, checks }: Examination): string {
  if (ready) return accel === 'tcg' ? 'Ready; builds will be slow, by emulation.' : 'Ready.';
  const cure = checks.some((check) => check.status !== 'ok' && check.packages?.length)
    ? ' `kvmimg doctor --fix` installs what can be installed.'
    : '';
  return `Not ready: see what is missing above.${cure}`;
}
