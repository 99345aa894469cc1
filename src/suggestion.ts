/**
 * The candidate that a mistyped name was most likely meant to be; undefined where none is near. Near: one
 * letter of difference in names of three letters, two in longer ones, a third of those that are longer still.
 */
export function findClosestName(typed: string, candidates: readonly string[]): string | undefined {
  const limit = typed.length <= 3 ? 1 : Math.max(2, Math.floor(typed.length / 3));
  const ranked = candidates
    .map((name) => ({ name, distance: editDistance(typed.toLowerCase(), name.toLowerCase()) }))
    .filter(({ name, distance }) => distance <= limit && distance < Math.max(name.length, typed.length))
    .sort((a, b) => a.distance - b.distance);
  return ranked[0]?.name;
}

/** `Did you mean memory?`, or which names there are when none is near. */
export function suggestName(typed: string, candidates: readonly string[]): string {
  const closest = findClosestName(typed, candidates);
  return closest === undefined ? `Known: ${candidates.join(', ')}.` : `Did you mean ${closest}?`;
}

/** Levenshtein's distance with swapped neighbours as one step (optimal string alignment). */
function editDistance(a: string, b: string): number {
  let twoBack: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = at(previous, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const swapped =
        a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1] ? at(twoBack, j - 2) + 1 : Number.POSITIVE_INFINITY;
      row.push(Math.min(replaced, at(previous, j) + 1, at(row, j - 1) + 1, swapped));
    }
    [twoBack, previous] = [previous, row];
  }
  return at(previous, b.length);
}

function at(row: readonly number[], index: number): number {
  return row[index] ?? Number.POSITIVE_INFINITY;
}
