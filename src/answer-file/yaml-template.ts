import {
  type Document,
  isCollection,
  isMap,
  isScalar,
  type Node,
  type Pair,
  parseDocument,
  Scalar,
  visit,
  type YAMLMap,
} from 'yaml';
import { KvmimgError } from '../errors.ts';
import { wrongTemplate } from './template.ts';

/** What stands for a name in a template: a text, a list or a map of them; undefined leaves its key out. */
export type YamlValue = string | number | boolean | YamlList | YamlMap | undefined;
export type YamlList = readonly YamlValue[];
export interface YamlMap {
  readonly [key: string]: YamlValue;
}

/**
 * A YAML template with values in the place of each `'{{name}}'`: a value of a map that is nothing else becomes whatever
 * the value is; within a text it becomes a part of the text; a key that is nothing else becomes the pairs of a map.
 * Comments stay.
 *
 * @throws KvmimgError `answer-file-template` for a name without a value, a value without its name, or one in the wrong
 *   place; `answer-file-value` for a text that no YAML can hold.
 */
export function fillYamlTemplate(text: string, values: YamlMap): string {
  const document = parseDocument(text);
  if (document.errors[0]) throw wrongTemplate(`is no YAML: ${document.errors[0].message}`);
  const filling = new Filling(document, values);
  visit(document, {
    Map: (_, map) => filling.fillKeys(map),
    Pair: (_, pair) => filling.fillPair(pair),
    Scalar: (_, scalar) => filling.fillScalar(scalar),
  });
  filling.checkAllUsed();
  return escapeOddCharacters(document.toString({ lineWidth: 0, singleQuote: true, flowCollectionPadding: false }));
}

/** Puts the values in; never looks into what it has put in. */
class Filling {
  readonly #document: Document;
  readonly #values: YamlMap;
  readonly #unused: Set<string>;
  readonly #done = new WeakSet<object>();

  constructor(document: Document, values: YamlMap) {
    this.#document = document;
    this.#values = values;
    this.#unused = new Set(Object.keys(values));
  }

  fillKeys(map: YAMLMap): void {
    map.items = map.items.flatMap((pair) => {
      const name = wholeName(pair.key);
      if (name === undefined) return [pair];
      const node = makeNode(this.#document, this.#take(name), name);
      if (!isMap(node)) throw wrongTemplate(`has {{${name}}} as a key, and it is no map of settings`);
      const { items } = node;
      for (const item of items) this.#done.add(item);
      return items;
    });
  }

  fillPair(pair: Pair): symbol | undefined {
    if (this.#done.has(pair)) return visit.SKIP;
    const name = wholeName(pair.value);
    if (name === undefined) return undefined;
    const value = this.#take(name);
    if (value === undefined) return visit.REMOVE;
    const { comment = null } = pair.value as Scalar;
    pair.value = Object.assign(makeNode(this.#document, value, name), { comment });
    return visit.SKIP;
  }

  fillScalar(scalar: Scalar): void {
    const { value } = scalar;
    if (typeof value !== 'string' || !value.includes('{{')) return;
    scalar.value = value.replace(/\{\{(\w+)\}\}/g, (_, name: string) => {
      const part = this.#take(name);
      checkTexts(part, name);
      return String(part);
    });
    scalar.type = Scalar.QUOTE_DOUBLE;
  }

  checkAllUsed(): void {
    if (this.#unused.size > 0) throw wrongTemplate(`has no {{${[...this.#unused].join('}}, {{')}}}`);
  }

  #take(name: string): YamlValue {
    if (!Object.hasOwn(this.#values, name)) throw wrongTemplate(`asks for {{${name}}}, which has no value`);
    this.#unused.delete(name);
    return this.#values[name];
  }
}

function wholeName(node: unknown): string | undefined {
  return isScalar(node) && typeof node.value === 'string' ? /^\{\{(\w+)\}\}$/.exec(node.value)?.[1] : undefined;
}

/** Maps and lists within a list are written on a line each. */
function makeNode(document: Document, value: YamlValue, name: string): Node {
  checkTexts(value, name);
  const node = document.createNode(value) as Node;
  visit(node, {
    Scalar: (key, scalar) => {
      if (key !== 'key' && typeof scalar.value === 'string') scalar.type = styleOf(scalar.value);
    },
    Seq: (_, { items }) => {
      for (const item of items) if (isCollection(item)) item.flow = true;
    },
  });
  return node;
}

/** Words that are not text to some version of YAML. */
const reservedWord = /^(y|yes|n|no|on|off|true|false|null|inf|nan)$/;

/**
 * YAML 1.1 (PyYAML, which reads these files) takes more texts for numbers and booleans than 1.2 does: what is not plainly
 * a word is quoted.
 */
function styleOf(text: string): Scalar.Type {
  if (/^[a-z][a-z0-9_-]*$/.test(text) && !reservedWord.test(text)) return Scalar.PLAIN;
  // A block keeps neither blanks at its beginning nor lines of nothing else.
  const isBlock = /^[!-~][\n -~]*\n[\n -~]*$/.test(text) && !/^ +$/m.test(text);
  return isBlock ? Scalar.BLOCK_LITERAL : Scalar.QUOTE_DOUBLE;
}

function checkTexts(value: YamlValue, name: string): void {
  if (typeof value === 'object') {
    for (const each of Object.values(value)) checkTexts(each as YamlValue, name);
    return;
  }
  // A half of a surrogate pair is no character, and has no UTF-8.
  if (typeof value !== 'string' || !/[\ud800-\udfff]/u.test(value)) return;
  throw new KvmimgError({
    code: 'answer-file-value',
    message: `${name}: ${JSON.stringify(value)} cannot be written to a YAML file: it is not well-formed Unicode.`,
    hint: 'Choose a value without it.',
  });
}

/**
 * What YAML 1.1 takes for a line break, or PyYAML refuses as "not printable". The template has none of it, and in double
 * quotes it can be escaped.
 */
function escapeOddCharacters(text: string): string {
  return text.replace(
    /[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
