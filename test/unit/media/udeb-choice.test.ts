import { describe, expect, it } from 'vitest';
import { parseStanzas } from '../../../src/media/control-stanzas.ts';
import { chooseUdebs, kernelVersionsOf } from '../../../src/media/udeb-choice.ts';

/** Name, priority, and then fields: `Depends: x`. */
function makeIndex(...udebs: string[][]) {
  const texts = udebs.map(([name, priority, ...fields]) =>
    [`Package: ${name}`, 'Version: 1', `Priority: ${priority}`, ...fields, `Filename: pool/${name}`, 'Size: 1'].join(
      '\n',
    ),
  );
  return parseStanzas(texts.join('\n\n'));
}

const initrd = parseStanzas('Package: cdebconf-udeb\nProvides: debconf-2.0\n\nPackage: libc6-udeb\n');

describe('chooseUdebs', () => {
  it.each<[string, string[][], string[]]>([
    [
      'what d-i loads by itself',
      [
        ['a', 'standard'],
        ['b', 'required'],
        ['c', 'optional'],
      ],
      ['a', 'b'],
    ],
    [
      'dependencies of dependencies',
      [
        ['a', 'standard', 'Depends: b (>= 1)'],
        ['b', 'optional', 'Depends: c'],
        ['c', 'optional'],
      ],
      ['a', 'b', 'c'],
    ],
    [
      'nothing that the initrd has or provides',
      [
        ['a', 'standard', 'Depends: libc6-udeb, debconf-2.0'],
        ['libc6-udeb', 'standard'],
      ],
      ['a'],
    ],
    [
      'modules of this kernel only',
      [
        ['m-6.12', 'standard', 'Kernel-Version: 6.12'],
        ['m-6.13', 'standard', 'Kernel-Version: 6.13'],
      ],
      ['m-6.12'],
    ],
    [
      'the first alternative that exists',
      [
        ['a', 'standard', 'Depends: none | b | c'],
        ['b', 'optional'],
        ['c', 'optional'],
      ],
      ['a', 'b'],
    ],
    [
      'a provider of a virtual package',
      [
        ['a', 'standard', 'Depends: v'],
        ['p', 'optional', 'Provides: w, v'],
        ['q', 'optional', 'Provides: v'],
      ],
      ['a', 'p'],
    ],
    [
      'the provider that d-i loads anyway',
      [
        ['a', 'standard', 'Depends: v'],
        ['p', 'optional', 'Provides: v'],
        ['q', 'standard', 'Provides: v'],
      ],
      ['a', 'q'],
    ],
    [
      'extra ones',
      [
        ['a', 'standard'],
        ['extra', 'optional', 'Depends: b'],
        ['b', 'optional'],
      ],
      ['a', 'b', 'extra'],
    ],
    [
      'circles of dependencies',
      [
        ['a', 'standard', 'Depends: b'],
        ['b', 'optional', 'Depends: a'],
      ],
      ['a', 'b'],
    ],
  ])('takes %s', (_, udebs, expected) => {
    const chosen = chooseUdebs({
      index: makeIndex(...udebs),
      initrd,
      kernelVersion: '6.12',
      extra: ['extra', 'unknown'],
    });
    expect(chosen.map((udeb) => udeb.package)).toEqual(expected);
  });

  it('keeps the fields that d-i reads', () => {
    const [index] = [makeIndex(['a', 'standard', 'Kernel-Version: 6.12', 'MD5sum: x', `SHA256: ${'a'.repeat(64)}`])];
    const [udeb] = chooseUdebs({ index, initrd, kernelVersion: '6.12', extra: [] });
    expect(udeb).toEqual({
      package: 'a',
      version: '1',
      file: { path: 'pool/a', sizeBytes: 1, sha256: 'a'.repeat(64) },
      fields: { Priority: 'standard', 'Kernel-Version': '6.12' },
    });
  });
});

describe('kernelVersionsOf', () => {
  it('lists each once', () => {
    const index = makeIndex(
      ['a', 'x', 'Kernel-Version: 2'],
      ['b', 'x', 'Kernel-Version: 1'],
      ['c', 'x', 'Kernel-Version: 2'],
    );
    expect(kernelVersionsOf(index)).toEqual(['1', '2']);
  });
});
