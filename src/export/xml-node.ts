import { parseStringPromise } from 'xml2js';

/** An XML element without namespace prefixes. */
export interface XmlNode {
  readonly name: string;
  readonly text: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: readonly XmlNode[];
}

/** @throws Error when the text is not well-formed XML. */
export async function parseXml(text: string): Promise<XmlNode> {
  const stripPrefix = (name: string): string => name.replace(/^.*:/, '');
  const parsed: unknown = await parseStringPromise(text, {
    explicitRoot: false,
    explicitChildren: true,
    preserveChildrenOrder: true,
    tagNameProcessors: [stripPrefix],
    attrNameProcessors: [stripPrefix],
  });
  const root = makeNode(parsed);
  if (!root) throw new Error('there is no XML element in it');
  return root;
}

/** The shape that xml2js gives with these options: name in `#name`, text in `_`, attributes in `$`, children in `$$`. */
function makeNode(value: unknown): XmlNode | undefined {
  if (typeof value !== 'object' || value === null || !('#name' in value)) return undefined;
  const found = value as { '#name': unknown; _?: unknown; $?: unknown; $$?: unknown };
  const attributes = typeof found.$ === 'object' && found.$ !== null ? Object.entries(found.$) : [];
  return {
    name: String(found['#name']),
    text: typeof found._ === 'string' ? found._.trim() : '',
    attributes: Object.fromEntries(attributes.map(([name, inner]) => [name, String(inner)])),
    children: (Array.isArray(found.$$) ? found.$$ : []).map(makeNode).filter((node) => node !== undefined),
  };
}

export function childrenOf(node: XmlNode | undefined, name: string): readonly XmlNode[] {
  return node?.children.filter((child) => child.name === name) ?? [];
}

/** The first child at the end of the path. */
export function findNode(node: XmlNode | undefined, ...path: readonly string[]): XmlNode | undefined {
  return path.reduce((at, name) => childrenOf(at, name)[0], node);
}
