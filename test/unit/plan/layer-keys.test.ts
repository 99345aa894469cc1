import { describe, expect, it } from 'vitest';
import { canonicalJson } from '../../../src/plan/canonical-json.ts';
import { makePlannedLayers, readersOfSetting } from '../../../src/plan/layer-keys.ts';
import type { PlannedLayer, PlannedMedia } from '../../../src/plan/plan.ts';
import { type Recipe, recipeFields } from '../../../src/recipe/schema.ts';
import type { SourceFile } from '../../../src/recipe/sources.ts';
import { exampleKey } from '../example-ssh-key.ts';
import { publicKey } from '../public-key.ts';
import { distro, lock, makeRecipe } from './plan-inputs.ts';

const steps = [{ packages: ['jq'] }, { scripts: [{ name: 'first', source: 'a.sh' }], timeout: '10m' }];
const media = { kind: 'netboot', lock } as const;
const sources = [{ source: 'a.sh', path: '/r/a.sh', sha256: '1'.repeat(64), sizeBytes: 1 }];

function keysOf(
  settings: Partial<Record<keyof Recipe, unknown>> = {},
  files: readonly SourceFile[] = sources,
): PlannedLayer[] {
  const recipe = makeRecipe({ provision: steps, formats: ['qcow2', 'vmdk', 'ova'], ...settings });
  return makePlannedLayers({ recipe, distro, media, sources: files, templates: { 'late.sh': 'f' } });
}

/** Titles of the layers that have other keys. */
function changedLayers(before: readonly PlannedLayer[], after: readonly PlannedLayer[]): string[] {
  const nameOf = ({ title }: PlannedLayer): string => title.replace(/ \(.*/s, '');
  const keysOfAll = (layers: readonly PlannedLayer[]) => new Map(layers.map((layer) => [nameOf(layer), layer.key]));
  const [one, other] = [keysOfAll(before), keysOfAll(after)];
  return [...new Set([...one.keys(), ...other.keys()])].filter((name) => one.get(name) !== other.get(name));
}

const exports = ['verify', 'export qcow2', 'export vmdk', 'export ova'];
const sealed = ['seal', ...exports];
const fromSteps = ['provision[0]', 'provision[1]', ...sealed];
const all = ['install', ...fromSteps];
const ops = { name: 'ops', sshKeys: [exampleKey] };

/** For each setting another value, and the layers that are made anew for it. A new setting needs a line here. */
const decisions: Readonly<Record<keyof Recipe, readonly [unknown, readonly string[]]>> = {
  name: ['web', ['export vmdk', 'export ova']],
  distro: ['testian-1b', all],
  base: ['disk.qcow2', [...all, 'base disk.qcow2']],
  arch: ['arm64', all],
  firmware: ['uefi', all],
  cpus: [5, ['export ova']],
  memory: ['5GiB', ['export ova']],
  disk: [{ size: '9GiB' }, all],
  hostname: ['web', all],
  locale: ['de_DE.UTF-8', all],
  timezone: ['Europe/Berlin', all],
  keyboard: ['de', all],
  network: [{ address: '192.0.2.10/24', gateway: '192.0.2.1' }, all],
  ntp: [['ntp.example.org'], all],
  repositories: [[{ name: 'more', url: 'http://r.example.org', key: publicKey }], all],
  // By the media that are chosen, see below.
  installer: [{ iso: 'http://i.example.org/i.iso', sha256: 'a'.repeat(64) }, []],
  // By its content, see below.
  answerFile: ['my.cfg', []],
  packages: [['curl'], all],
  users: [[{ ...ops, groups: ['adm'] }], [...fromSteps, 'users', 'groups of users']],
  mirror: ['http://m.example.org/debian', []],
  securityMirror: ['http://m.example.org/security', []],
  imageMirror: ['http://m.example.org/debian', sealed],
  imageSecurityMirror: ['http://m.example.org/security', sealed],
  proxy: ['http://p.example.org:3128', []],
  kernelArguments: [['nomodeset'], all],
  provision: [
    [steps[0], { packages: ['curl'] }],
    ['provision[1]', ...sealed],
  ],
  expires: ['1h', []],
  limits: [{ ssh: '1h' }, []],
  ovf: [{ controller: 'lsilogic', diskEnableUuid: false, osType: 'debian12_64Guest' }, ['export ova']],
  formats: [['raw'], ['export qcow2', 'export vmdk', 'export ova', 'export raw']],
};

describe('layer keys', () => {
  it('have a decision for every setting of the schema', () => {
    const settings = Object.keys(recipeFields.shape).sort();
    expect(Object.keys(readersOfSetting).sort()).toEqual(settings);
    expect(Object.keys(decisions).sort()).toEqual(settings);
  });

  it.each(Object.entries(decisions))('change with %s exactly where it goes in', (setting, [value, expected]) => {
    expect(changedLayers(keysOf(), keysOf({ [setting]: value })).sort()).toEqual([...expected].sort());
  });

  it.each([
    ['a step’s time limit', [steps[0], { ...steps[1], timeout: '20m' }], []],
    ['the name of a script', [steps[0], { scripts: [{ name: 'other', source: 'a.sh' }] }], []],
    ['the first step', [{ packages: ['curl'] }, steps[1]], fromSteps],
    ['a step more', [...steps, { packages: ['curl'] }], [...sealed, 'provision[2]']],
    ['a step less', [steps[0]], ['provision[1]', ...sealed]],
    ['no steps', [], fromSteps],
  ])('change with %s as they must', (_, provision, expected) => {
    expect(changedLayers(keysOf(), keysOf({ provision })).sort()).toEqual([...expected].sort());
  });

  it('change with the hardware version where a file tells it', () => {
    const version = (hardwareVersion: number) => keysOf({ ovf: { hardwareVersion } });
    expect(changedLayers(keysOf(), version(17))).toEqual(['export vmdk', 'export ova']);
  });

  it('change with the content of a source file, not with its place', () => {
    const moved = sources.map((source) => ({ ...source, path: '/elsewhere/a.sh' }));
    const edited = sources.map((source) => ({ ...source, sha256: '2'.repeat(64) }));
    expect(changedLayers(keysOf(), keysOf({}, moved))).toEqual([]);
    expect(changedLayers(keysOf(), keysOf({}, edited))).toEqual(['provision[1]', ...sealed]);
  });

  it('change with the media, the templates and the facts of the distro', () => {
    const recipe = makeRecipe();
    const base = { recipe, distro, media: media as PlannedMedia, sources: [], templates: { 'late.sh': 'f' } };
    const mediaOf = (changes: Partial<typeof lock>): PlannedMedia => ({
      kind: 'netboot',
      lock: { ...lock, ...changes },
    });
    const iso = { fileName: 'i.iso', urls: ['http://i.example.org/i.iso'], kernel: '/linux', initrd: '/initrd' };
    const keys = makePlannedLayers(base)[0]?.key;
    const others = [
      { ...base, templates: { 'late.sh': '0' } },
      { ...base, media: mediaOf({ kernel: { ...lock.kernel, sha256: '0'.repeat(64) } }) },
      { ...base, media: mediaOf({ udebs: lock.udebs.slice(1) }) },
      { ...base, media: { kind: 'iso' as const, iso } },
      { ...base, media: { kind: 'iso' as const, iso: { ...iso, sha256: '0'.repeat(64) } } },
      { ...base, media: { kind: 'tree' as const, path: '9/BaseOS' } },
      { ...base, distro: { ...distro, packages: ['sudo'] } },
      { ...base, distro: { ...distro, kernelArguments: ['nomodeset'] } },
      { ...base, distro: { ...distro, release: '2' } },
      { ...base, distro: { ...distro, archPackages: { amd64: ['linux-image-cloud-amd64'] } } },
    ].map((inputs) => makePlannedLayers(inputs)[0]?.key);
    const answer = { source: 'my.cfg', path: '/my.cfg', sizeBytes: 1 };
    const own = ['1', '2'].map((digit) => ({
      ...base,
      recipe: makeRecipe({ answerFile: 'my.cfg' }),
      sources: [{ ...answer, sha256: digit.repeat(64) }],
    }));
    const withOwn = [...own, { ...own[0], templates: { 'late.sh': '0' } }].map(
      (inputs) => makePlannedLayers({ ...base, ...inputs })[0]?.key,
    );
    expect(new Set([keys, ...others, ...withOwn]).size).toBe(others.length + withOwn.length + 1);
    const same = { ...base, distro: { ...distro, title: 'Testian one', memoryMinimum: 1, basePackages: [] } };
    expect(makePlannedLayers(same)[0]?.key).toBe(keys);
  });
});

describe('canonicalJson', () => {
  it('does not depend on the order of keys, nor on absent values', () => {
    expect(canonicalJson({ b: [{ d: 1, c: undefined }], a: null })).toBe('{"a":null,"b":[{"d":1}]}');
  });
});
