/** Where a value is in a recipe: keys and list positions. */
export type Path = readonly (string | number)[];

/** `provision[0].scripts[1].timeout`; keys that are no plain words in brackets and quotes. */
export function formatPath(path: Path): string {
  return path.map(formatSegment).join('').replace(/^\./, '');
}

/** Reads what `formatPath` writes; undefined where the text is no path. */
export function parsePath(text: string): Path | undefined {
  const segments: (string | number)[] = [];
  const pattern = /\.?([\w-]+)|\[(\d+)\]|\["([^"]+)"\]/y;
  while (pattern.lastIndex < text.length) {
    const startsWithDot = text[pattern.lastIndex] === '.';
    const isFirst = pattern.lastIndex === 0;
    const match = pattern.exec(text);
    if (!match) return undefined;
    const [, key, position, quotedKey] = match;
    if (key !== undefined && startsWithDot === isFirst) return undefined;
    segments.push(position === undefined ? (key ?? quotedKey ?? '') : Number(position));
  }
  return segments.length === 0 ? undefined : segments;
}

/** Whether `path` is at or below `parent`. */
export function isWithin(path: Path, parent: Path): boolean {
  return parent.every((segment, index) => path[index] === segment);
}

/** The own property or element at `path` of plain data; undefined where there is none. */
export function findValue(data: unknown, path: Path): unknown {
  return path.reduce(
    (value: unknown, segment) =>
      typeof value === 'object' && value !== null && Object.hasOwn(value, segment)
        ? (value as Record<string | number, unknown>)[segment]
        : undefined,
    data,
  );
}

function formatSegment(segment: string | number): string {
  if (typeof segment === 'number') return `[${segment}]`;
  return /^[\w-]+$/.test(segment) ? `.${segment}` : `["${segment}"]`;
}
