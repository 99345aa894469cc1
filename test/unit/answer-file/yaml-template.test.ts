import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { fillYamlTemplate } from '../../../src/answer-file/yaml-template.ts';

const hostile = {
  'a space': 'a b',
  'a single quote': "it's",
  'a double quote': 'say "hi"',
  'a hash': 'a # no comment',
  'a dollar': '$HOME ${HOME} $(reboot)',
  'a newline': 'a\nb\n',
  'only a newline': '\n',
  'a newline at the beginning': '\n a\n',
  'a carriage return': 'a\r\nb',
  'a line of spaces': 'a\n   \nb',
  'many lines at the end': 'a\n\n\n',
  'an indented line': '  a\nb',
  '%end': '%end\n%end',
  'a backslash': 'a\\nb\\',
  'a colon': 'a: b',
  'a list': '- a',
  'a flow': '{a: [b]}',
  'an anchor': '&a *b !c',
  'a directive': '%YAML 1.1',
  'the end of a document': '---\na\n...\n',
  'a boolean of YAML 1.1': 'yes',
  'a null': '~',
  'an octal number': '010',
  'a sexagesimal number': '12:30:45',
  'a date': '2026-01-01',
  'a merge key': '<<',
  'braces of a template': '{{first}} {{other}}',
  'a replacement pattern': "$& $1 $' $`",
  'a byte order mark': '\ufeffa',
  'a line separator': 'a\u2028b\u2029c',
  'a next line': 'a\u0085b',
  'other control characters': '\u0000\u0001\u007f\u0080\u009f',
  'non-ASCII': 'Grüße 日本 🎉',
  '300 characters': 'x y'.repeat(100),
  nothing: '',
  'a blank line': ' \n',
  'lines with blanks': 'a\n  \n b\n',
  'line breaks alone': '\n\n',
};

const template = "# first\nvalue: '{{first}}' # kept\nlist:\n  - [a, 'before {{first}} after']\nnested: '{{second}}'\n";

function through(value: string, version: '1.1' | '1.2'): unknown {
  const text = fillYamlTemplate(template, { first: value, second: { list: [value, { key: value }] } });
  expect(text).toContain('# kept');
  return parse(text, { version });
}

function expected(value: string): unknown {
  return { value, list: [['a', `before ${value} after`]], nested: { list: [value, { key: value }] } };
}

describe('fillYamlTemplate', () => {
  it.each(Object.entries(hostile))('carries %s unchanged', (_, value) => {
    expect(through(value, '1.1')).toEqual(expected(value));
    expect(through(value, '1.2')).toEqual(expected(value));
  });

  it('carries any text', () => {
    const text = fc.oneof(
      fc.string({ unit: 'grapheme' }),
      fc.string({
        unit: fc.constantFrom('\n', ' ', '\t', ':', '#', '-', '"', "'", '\\', '{{', '}}', 'a', '1', '%', '\u2028'),
      }),
    );
    fc.assert(
      fc.property(text, (value) => {
        expect(through(value, '1.1')).toEqual(expected(value));
        expect(through(value, '1.2')).toEqual(expected(value));
      }),
    );
  });

  it('writes nothing that PyYAML takes for unprintable, or for a line break', () => {
    const text = fillYamlTemplate("value: '{{first}}'\n", { first: Object.values(hostile).join('') });
    expect(text).not.toMatch(/[^\n\x20-\x7e\u00a0-\ud7ff\ue000-\ufefe\u{10000}-\u{10ffff}]|[\u2028\u2029]/u);
  });

  it.each(['\ud800', 'a\udc00b'])('refuses half a surrogate pair', (value) => {
    for (const values of [
      { first: value, second: '' },
      { first: '', second: [value] },
    ]) {
      expect(() => fillYamlTemplate(template, values)).toThrow(expect.objectContaining({ code: 'answer-file-value' }));
    }
  });

  it('leaves a key without a value out', () => {
    expect(fillYamlTemplate("a: 1\nb: '{{b}}'\n", { b: undefined })).toBe('a: 1\n');
  });

  it('puts the pairs of a map in the place of a key', () => {
    expect(fillYamlTemplate("a: 1\n'{{b}}': {}\nc: 2\n", { b: { x: true, y: { z: 'yes' } } })).toBe(
      'a: 1\nx: true\ny:\n  z: "yes"\nc: 2\n',
    );
    expect(fillYamlTemplate("a: 1\n'{{b}}': {}\n", { b: {} })).toBe('a: 1\n');
  });

  it('knows names without a value, and values without a name', () => {
    expect(() => fillYamlTemplate("a: '{{b}}'\n", {})).toThrow('{{b}}');
    expect(() => fillYamlTemplate('a: 1\n', { b: '' })).toThrow('{{b}}');
    expect(() => fillYamlTemplate("'{{b}}': {}\n", { b: 'text' })).toThrow('has {{b}} as a key');
  });
});
