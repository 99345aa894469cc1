import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { debianWriter } from '../../../src/answer-file/debian.ts';
import { quoteScriptWord } from '../../../src/answer-file/image-files.ts';
import { quoteDebconf } from '../../../src/answer-file/quote-debconf.ts';
import { fillTemplate } from '../../../src/answer-file/template.ts';
import { quoteShellWord } from '../../../src/process/quote-command.ts';
import { recipeSchema } from '../../../src/recipe/schema.ts';
import { publicKey } from '../public-key.ts';
import { answerRun, planForDistro } from './answer-inputs.ts';

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

describe('a script of an answer file', () => {
  const templates = debianWriter.loadTemplates();
  let target: string;
  beforeEach(() => {
    target = mkdtempSync(join(tmpdir(), 'kvmimg-target-'));
    mkdirSync(join(target, 'etc/apt/sources.list.d'), { recursive: true });
  });
  afterEach(() => rmSync(target, { recursive: true }));

  it('carries the key of a repository, whatever it is, into its file', async () => {
    const plan = await planForDistro('debian-13', {
      repositories: [{ name: 'more', url: 'https://repo.example.org/more', key: publicKey }],
    });
    const [repository] = plan.recipe.repositories;
    if (!repository) throw new Error('no repository');
    const texts = await templates;
    /** What base.sh writes into the key's file: the lines of the repository alone, run for another target. */
    const through = (key: string): string => {
      const recipe = { ...plan.recipe, repositories: [{ ...repository, key }] };
      const script = debianWriter.render({ ...plan, recipe }, answerRun, texts)['base.sh'] ?? '';
      const start = script.indexOf('\n# A repository of the recipe');
      if (start < 0) throw new Error('no lines of the repository');
      execFileSync('/bin/sh', ['-eu'], { input: `target=${quoteShellWord(target)}\n${script.slice(start)}` });
      return readFileSync(join(target, 'etc/apt/keyrings/more.asc'), 'utf8');
    };
    for (const value of Object.values(hostile)) expect(through(`${value}\n%end`)).toBe(`${value}\n%end\n`);
    const text = fc.string({ unit: 'grapheme', minLength: 1 }).filter((value) => !value.includes('\0'));
    fc.assert(
      fc.property(text, (value) => {
        expect(through(value)).toBe(`${value.trimEnd()}\n`);
      }),
      { numRuns: 30 },
    );
  });

  it('refuses a NUL, naming the value', () => {
    expect(() => quoteScriptWord('a\0b', 'key')).toThrow(
      expect.objectContaining({ code: 'answer-file-value', message: expect.stringMatching(/^key: .*NUL/) }),
    );
  });
});

describe('a recipe', () => {
  const repository = { name: 'more', url: 'https://repo.example.org', key: publicKey };
  const network = { address: '192.0.2.10/24', gateway: '192.0.2.1' };
  /** Fields whose values an answer file holds, each with a recipe that has it. */
  const fields: Readonly<Record<string, (value: string) => object>> = {
    hostname: (value) => ({ hostname: value }),
    locale: (value) => ({ locale: value }),
    timezone: (value) => ({ timezone: value }),
    keyboard: (value) => ({ keyboard: value }),
    'network.address': (value) => ({ network: { ...network, address: value } }),
    'network.gateway': (value) => ({ network: { ...network, gateway: value } }),
    'network.nameservers': (value) => ({ network: { ...network, nameservers: [value] } }),
    'network.search': (value) => ({ network: { ...network, search: [value] } }),
    ntp: (value) => ({ ntp: [value] }),
    packages: (value) => ({ packages: [value] }),
    kernelArguments: (value) => ({ kernelArguments: [value] }),
    'disk.volumes': (value) => ({ disk: { layout: 'lvm', volumes: [{ path: value, size: '1GiB' }] } }),
    'repositories.name': (value) => ({ repositories: [{ ...repository, name: value }] }),
    'repositories.url': (value) => ({ repositories: [{ ...repository, url: value }] }),
    'repositories.suite': (value) => ({ repositories: [{ ...repository, suite: value }] }),
    'repositories.components': (value) => ({ repositories: [{ ...repository, components: [value] }] }),
  };
  const values = { ...hostile, 'a newline': 'a\nb', '%end': 'a\n%end\nb', 'a NUL': 'a\0b' };

  it.each(Object.keys(fields))('with a hostile %s is refused, with its place', (field) => {
    for (const value of Object.values(values)) {
      const parsed = recipeSchema.safeParse({ distro: 'debian-13', ...fields[field]?.(value) });
      expect(parsed.success, JSON.stringify(value)).toBe(false);
      const [top] = field.split('.');
      expect(new Set(parsed.error?.issues.map((issue) => issue.path[0]))).toEqual(new Set([top]));
    }
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
