import { describe, expect, it } from 'vitest';
import {
  findField,
  formatStanza,
  parseStanza,
  parseStanzas,
  readStanzaTexts,
} from '../../../src/media/control-stanzas.ts';
import { parseRelease } from '../../../src/media/release.ts';

const text = 'Package: a\nDepends: b (>= 1:2), c\nDescription: short\n long line\n .\n more\n\nPackage: d\nSize: 5\n';

describe('parseStanza', () => {
  it('keeps continuation lines, and gives back what it read', () => {
    const [first] = parseStanzas(text);
    expect(first?.get('Description')).toBe('short\n long line\n .\n more');
    expect(formatStanza(first ?? [])).toBe(text.slice(0, text.indexOf('\n\n') + 1));
  });

  it('passes over lines that are no field', () => {
    expect([...parseStanza(' stray\nno field\n:x\nA: 1')]).toEqual([['A', '1']]);
  });
});

describe('readStanzaTexts', () => {
  it.each([1, 2, 7, 1000])('gives each stanza whole from chunks of %i bytes', async (size) => {
    async function* chunks() {
      for (let start = 0; start < text.length; start += size) yield Buffer.from(text.slice(start, start + size));
    }
    const names: (string | undefined)[] = [];
    for await (const stanza of readStanzaTexts(chunks())) names.push(findField(stanza, 'Package'));
    expect(names).toEqual(['a', 'd']);
  });
});

describe('findField', () => {
  it.each([
    ['Package', 'd'],
    ['Size', '5'],
    ['Siz', undefined],
    ['Depends', undefined],
  ])('%s', (name, value) => {
    expect(findField('Package: d\nInstalled-Size: 9\nSize: 5\n', name)).toBe(value);
  });
});

describe('parseRelease', () => {
  const sha256 = 'a'.repeat(64);
  const release = `Suite: stable\nMD5Sum:\n d41d 0 main/x\nSHA256:\n ${sha256}  12 main/x\n`;

  it.each([
    ['Release', release],
    [
      'InRelease',
      `-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n${release}-----BEGIN PGP SIGNATURE-----\n\nwsBz\n`,
    ],
  ])('reads %s', (_, content) => {
    const { fields, indices } = parseRelease(content);
    expect(fields.get('Suite')).toBe('stable');
    expect([...indices]).toEqual([['main/x', { sha256, sizeBytes: 12 }]]);
  });
});
