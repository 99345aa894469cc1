import { digestOf } from './canonical-json.ts';

/** What fits into a line beside another. */
const shownLength = 60;

/**
 * A name and a short text for each input, for a person to compare: `disk.size` -> `8589934592`. Texts that are long or
 * of several lines are told by their digest.
 */
export function flattenInputs(inputs: unknown, path = ''): Readonly<Record<string, string>> {
  if (inputs === undefined) return {};
  if (Array.isArray(inputs) && inputs.every(isWord)) {
    return { [path]: shorten(inputs.join(', '), inputs) };
  }
  if (typeof inputs !== 'object' || inputs === null) return { [path]: shorten(String(inputs), inputs) };
  const entries = Array.isArray(inputs)
    ? inputs.map((value, index) => [`${path}[${index}]`, value] as const)
    : Object.entries(inputs).map(([name, value]) => [path === '' ? name : `${path}.${name}`, value] as const);
  return Object.assign({}, ...entries.map(([name, value]) => flattenInputs(value, name)));
}

function isWord(value: unknown): boolean {
  return typeof value !== 'object' && String(value).length <= shownLength && !String(value).includes('\n');
}

function shorten(text: string, value: unknown): string {
  if (text.length <= shownLength && !text.includes('\n')) return text;
  if (/^[0-9a-f]{64}$/.test(text)) return `sha256 ${text.slice(0, 12)}`;
  return `sha256 ${digestOf(value).slice(0, 12)}`;
}

export interface InputChange {
  readonly input: string;
  /** Undefined where there was none. */
  readonly before: string | undefined;
  readonly after: string | undefined;
}

/** The inputs in which two layers differ. */
export function compareInputs(
  before: Readonly<Record<string, string>>,
  after: Readonly<Record<string, string>>,
): InputChange[] {
  const names = [...new Set([...Object.keys(after), ...Object.keys(before)])];
  return names
    .filter((input) => before[input] !== after[input])
    .map((input) => ({ input, before: before[input], after: after[input] }));
}
