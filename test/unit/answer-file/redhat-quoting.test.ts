import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { quoteKickstart, quoteKickstartPackage } from '../../../src/answer-file/quote-kickstart.ts';
import { loadRedhatTemplates, renderRedhatAnswerFile } from '../../../src/answer-file/redhat.ts';
import { asPublicKey } from '../public-key.ts';
import { answerRun, planForDistro } from './answer-inputs.ts';
import { parseKickstart, splitWords } from './kickstart-rules.ts';

const hostile = {
  nothing: '',
  'a space': 'a b',
  'a tab': 'a b',
  'a single quote': "it's",
  'a double quote': 'say "hi"',
  'a hash': '#no comment # either',
  'a dollar': '$HOME ${HOME} $(reboot) `reboot`',
  'a backslash': 'a\\nb\\',
  'the end of a section': '%end',
  'an include': '%include /etc/passwd',
  'an option': '--lock',
  'braces of a template': '{{seedUrl}}',
  'a replacement pattern': "$& $1 $' $`",
  'non-ASCII': 'Grüße 日本 🎉',
  '300 characters': 'x y'.repeat(100),
};

function readValue(line: string): string | undefined {
  const [command] = parseKickstart(`${line}\n`).commands;
  return command?.words[0]?.slice('--option='.length);
}

describe('splitWords, which stands for shlex', () => {
  it.each([
    ['a b  c', ['a', 'b', 'c']],
    ["a='b c'd", ['a=b cd']],
    ['"a\\"b\\\\c\\d"', ['a"b\\c\\d']],
    ['a\\ b', ['a b']],
    ['a b#c d', ['a', 'b']],
    ["'a#b' # c", ['a#b']],
    ["''", ['']],
    ['', []],
  ])('splits %s', (line, words) => {
    expect(splitWords(line)).toEqual(words);
  });

  it('wants its quotes closed', () => {
    expect(() => splitWords("a 'b")).toThrow('No closing quotation');
  });
});

describe('quoteKickstart', () => {
  it.each(Object.entries(hostile))('carries %s byte by byte', (_, value) => {
    expect(readValue(`command --option=${quoteKickstart(value, 'option')}`)).toBe(value);
  });

  it.each(['a\nb', 'a\n%end\nb', 'a\rb', 'a\0b', 'a\u0085b', 'a\u2028b', 'a\u2029b', '\u001b[0m'])(
    'refuses %j, naming the value',
    (value) => {
      expect(() => quoteKickstart(value, 'timezone')).toThrow(
        expect.objectContaining({
          code: 'answer-file-value',
          message: expect.stringMatching(/^timezone: .*line break/s),
        }),
      );
    },
  );

  it('lets nothing through that would arrive otherwise', () => {
    const text = fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: fc.constantFrom(...`'"\\# $%\n\u2028a`) }));
    fc.assert(
      fc.property(text, (value) => {
        let line: string;
        try {
          line = `command --option=${quoteKickstart(value, 'option')}`;
        } catch {
          return;
        }
        expect(readValue(line)).toBe(value);
      }),
    );
  });
});

describe('quoteKickstartPackage', () => {
  it.each(['curl', 'NetworkManager', 'libstdc++', 'python3.12', '-iwl*-firmware'])('takes %s', (name) => {
    expect(quoteKickstartPackage(name, 'packages')).toBe(name);
  });

  it.each(['', 'a b', 'a#b', '@core', '%end', 'a\nb', '--nocore', 'ü'])('refuses %j', (name) => {
    expect(() => quoteKickstartPackage(name, 'packages')).toThrow(
      expect.objectContaining({ code: 'answer-file-value' }),
    );
  });
});

describe('hostile values of a recipe', () => {
  const files = async (settings: object, run: object = {}) =>
    renderRedhatAnswerFile(
      await planForDistro('rocky-9', settings),
      { ...answerRun, ...run },
      await loadRedhatTemplates(),
    );

  it('arrive as the comment of a key', async () => {
    const buildUserKey = `ssh-ed25519 AAAA it's "me" # $HOME %end \\`;
    const { 'ks.cfg': ks } = await files({}, { buildUserKey });
    const sshkey = parseKickstart(ks).commands.find(({ name }) => name === 'sshkey');
    expect(sshkey?.words).toEqual(['--username=kvmimg-build', buildUserKey]);
  });

  it('arrive as kernel arguments', async () => {
    const { 'ks.cfg': ks } = await files({ kernelArguments: ['a=!~*^%', 'b'] });
    const bootloader = parseKickstart(ks).commands.find(({ name }) => name === 'bootloader');
    expect(bootloader?.words).toContain('--append=a=!~*^% b console=tty0 console=ttyS0,115200');
  });

  it('arrive as the key of a repository, which the kickstart does not hold', async () => {
    const repositories = [
      { name: 'more', url: 'https://repo.example.org', key: asPublicKey("it's\n%end\n$HOME `x`\\") },
    ];
    const { 'ks.cfg': ks, 'post.sh': post } = await files({ repositories });
    expect(post).toContain("BLOCK-----\nit'\\''s\n%end\n$HOME `x`\\'");
    expect(parseKickstart(ks).sections.map(({ name }) => name)).toContain('traceback');
  });
});
