/** The fields of one stanza of a Debian control file, in order; continuation lines are kept with their line breaks. */
export type Stanza = ReadonlyMap<string, string>;

export function parseStanza(text: string): Stanza {
  const fields = new Map<string, string>();
  let last: string | undefined;
  for (const line of text.split('\n')) {
    if (/^[ \t]/.test(line) && last !== undefined) {
      fields.set(last, `${fields.get(last) ?? ''}\n${line}`);
      continue;
    }
    const colon = line.indexOf(':');
    if (colon <= 0) continue;
    last = line.slice(0, colon);
    fields.set(last, line.slice(colon + 1).trim());
  }
  return fields;
}

export function parseStanzas(text: string): Stanza[] {
  return text
    .split(/\n{2,}/)
    .filter((part) => part.trim() !== '')
    .map(parseStanza);
}

export function formatStanza(fields: Iterable<readonly [string, string]>): string {
  return `${[...fields].map(([name, value]) => `${name}:${value.startsWith('\n') ? '' : ' '}${value}`).join('\n')}\n`;
}

/** The texts of the stanzas of a stream, one after the other, without holding the whole. */
export async function* readStanzaTexts(stream: AsyncIterable<Uint8Array>): AsyncIterable<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of stream) {
    const texts = (rest + decoder.decode(chunk, { stream: true })).split('\n\n');
    rest = texts.pop() ?? '';
    yield* texts;
  }
  if (rest.trim() !== '') yield rest;
}

/** The value of a one-line field of a stanza's text, without parsing the others. */
export function findField(text: string, name: string): string | undefined {
  const start = text.startsWith(`${name}:`) ? 0 : text.indexOf(`\n${name}:`) + 1;
  if (start === 0 && !text.startsWith(`${name}:`)) return undefined;
  const end = text.indexOf('\n', start);
  return text.slice(start + name.length + 1, end < 0 ? undefined : end).trim();
}
