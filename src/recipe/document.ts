import { type Document, isAlias, isMap, isNode, isScalar, isSeq, LineCounter, type Pair, parseDocument } from 'yaml';
import { messageOf, type Problem } from '../errors.ts';
import { formatPath, type Path } from './path.ts';

/** A recipe file as plain data, and where in the file each value is. */
export interface RecipeDocument {
  readonly data: Readonly<Record<string, unknown>>;
  /** `node.yaml:12:5 disk.size`: of the value, of the key where `at` says so, else of the nearest thing around it. */
  readonly placeOf: (path: Path, at?: 'key' | 'value') => string;
}

/** Reads YAML 1.2 with anchors and merge keys; `name` is what places call the file. */
export function parseRecipeDocument(
  text: string,
  name: string,
): { readonly document: RecipeDocument } | { readonly problems: readonly Problem[] } {
  const lineCounter = new LineCounter();
  const parsed = parseDocument(text, { lineCounter, prettyErrors: false, merge: true });
  const position = (offset: number): string => {
    const { line, col } = lineCounter.linePos(offset);
    return `${name}:${line}:${col}`;
  };
  const mistakes = findMistakes(parsed);
  if (mistakes.length > 0) {
    return { problems: mistakes.map(({ offset, message }) => ({ place: position(offset), message })) };
  }
  const root = parsed.contents;
  if (root === null || (isScalar(root) && root.value === null)) {
    return { problems: [{ place: name, message: 'is empty', hint: 'A recipe needs one line at least: distro: NAME' }] };
  }
  if (!isMap(root)) {
    const place = position(root.range?.[0] ?? 0);
    return { problems: [{ place, message: 'must hold settings, one `name: value` a line' }] };
  }
  try {
    const data: Record<string, unknown> = parsed.toJS();
    const placeOf: RecipeDocument['placeOf'] = (path, at = 'value') =>
      `${position(offsetOf(parsed, path, at))} ${formatPath(path)}`.trimEnd();
    return { document: { data, placeOf } };
  } catch (error) {
    // More aliases than the library allows: a file made to blow up, or an alias to nowhere.
    return { problems: [{ place: name, message: `cannot be read: ${messageOf(error)}` }] };
  }
}

/** What is wrong with YAML of the user's: what the library only warns of (an unknown tag) too. */
export function findMistakes({
  errors,
  warnings,
}: Document.Parsed): readonly { readonly offset: number; readonly message: string }[] {
  return [...errors, ...warnings].map((error) => ({ offset: error.pos[0], message: describe(error) }));
}

/** Offset in the text of what is at `path`; of the nearest thing around it where nothing is there. */
function offsetOf(document: Document.Parsed, path: Path, at: 'key' | 'value'): number {
  let node: unknown = document.contents;
  let offset = startOf(node) ?? 0;
  for (const [index, segment] of path.entries()) {
    const container = isAlias(node) ? node.resolve(document) : node;
    const pair = isMap(container) ? findPair(container.items, segment) : undefined;
    node = isSeq(container) ? container.items[Number(segment)] : pair?.value;
    const isLast = index === path.length - 1;
    const found = startOf(isLast && at === 'key' ? pair?.key : node) ?? startOf(pair?.key);
    if (found === undefined) return offset;
    offset = found;
  }
  return offset;
}

function findPair(pairs: readonly Pair[], key: string | number): Pair | undefined {
  return pairs.find((pair) => isScalar(pair.key) && String(pair.key.value) === String(key));
}

function startOf(node: unknown): number | undefined {
  return isNode(node) ? node.range?.[0] : undefined;
}

function describe(error: { readonly code: string; readonly message: string }): string {
  const messages: Readonly<Record<string, string>> = {
    DUPLICATE_KEY: 'this key is given twice',
    MULTIPLE_DOCS: 'must hold one document, not several',
  };
  return messages[error.code] ?? `is not YAML: ${error.message.split('\n')[0]}`;
}
