import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { quoteDebconf } from '../../../src/answer-file/quote-debconf.ts';
import { fillTemplate } from '../../../src/answer-file/template.ts';
import { quoteShellWord } from '../../../src/process/quote-command.ts';

const hostile = {
  'a space': 'a b',
  'many spaces': 'a   b',
  'a single quote': "it's",
  'a double quote': 'say "hi"',
  'a hash': '#not a comment # either',
  'a dollar': '$HOME ${HOME} $(reboot) `reboot`',
  'a backslash': 'a\\nb\\c',
  'a semicolon': 'a; reboot && b | c > d',
  'braces of a template': '{{seedUrl}}',
  'a replacement pattern': "$& $1 $' $`",
  'non-ASCII': 'Grüße 日本 🎉',
  '300 characters': 'x y'.repeat(100),
};

describe('quoteShellWord', () => {
  const through = (value: string): string =>
    execFileSync('/bin/sh', ['-c', `value=${quoteShellWord(value)}\nprintf %s "$value"`], { encoding: 'utf8' });

  it.each(Object.entries({ ...hostile, 'a newline': 'a\nb\n', nothing: '', 'a tab': '\ta' }))(
    'carries %s through a POSIX shell byte by byte',
    (_, value) => {
      expect(through(value)).toBe(value);
    },
  );

  it('carries anything without a NUL', () => {
    const text = fc.string({ unit: 'grapheme' }).filter((value) => !value.includes('\0'));
    fc.assert(
      fc.property(text, (value) => {
        expect(through(value)).toBe(value);
      }),
      { numRuns: 30 },
    );
  });
});

describe('quoteDebconf', () => {
  /** d-i's debconf-set-selections, in the parts that can change a value. */
  function readSelections(text: string): string | undefined {
    let joined = '';
    for (const raw of text.replaceAll('\r', '').split('\n')) {
      if (/^#|^\s*$/.test(raw)) continue;
      const line = raw.replace(/^\s*/, '');
      if (line.endsWith('\\')) {
        joined += `${line.replace(/\s*\\$/, '')} `;
        continue;
      }
      return /^\S*\s+\S*\s+\S*\s*(.*)$/.exec(joined + line)?.[1];
    }
    return undefined;
  }

  it.each(Object.entries(hostile))('carries %s as it is', (_, value) => {
    expect(readSelections(`d-i a/b string ${quoteDebconf(value, 'b')}\n`)).toBe(value);
  });

  it.each([
    ['a newline', 'a\nb', 'line break'],
    ['a carriage return', 'a\rb', 'line break'],
    ['a NUL', 'a\0b', 'line break'],
    ['a final backslash', 'a\\', 'backslash'],
    ['a leading space', ' a', 'white space'],
    ['a trailing tab', 'a\t', 'line break'],
    ['a trailing no-break space', 'a\u00a0', 'white space'],
  ])('refuses %s, naming the value', (_, value, reason) => {
    expect(() => quoteDebconf(value, 'packages')).toThrow(
      expect.objectContaining({
        code: 'answer-file-value',
        message: expect.stringMatching(new RegExp(`^packages: .*${reason}`)),
      }),
    );
  });

  it('lets nothing through that would arrive otherwise', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (value) => {
        let line: string;
        try {
          line = `d-i a/b string ${quoteDebconf(value, 'b')}`;
        } catch {
          return;
        }
        expect(readSelections(line) ?? '').toBe(value);
      }),
    );
  });
});

describe('fillTemplate', () => {
  it('puts every value through the quoting, once', () => {
    const quote = (value: string, name: string): string => `<${name}=${value}>`;
    expect(fillTemplate('{{a}} {{b}} {{a}} {c}', { a: '{{b}}', b: '2' }, quote)).toBe('<a={{b}}> <b=2> <a={{b}}> {c}');
  });

  it('knows every name, and uses every value', () => {
    expect(() => fillTemplate('{{a}}', {}, String)).toThrow('asks for {{a}}');
    expect(() => fillTemplate('', { a: '1' }, String)).toThrow('has no {{a}}');
  });
});
