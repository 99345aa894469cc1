import { describe, expect, it } from 'vitest';
import { canonicalJson } from '../../../src/plan/canonical-json.ts';
import { layerOfSetting, makeLayerKeys } from '../../../src/plan/layer-keys.ts';
import type { LayerKeys } from '../../../src/plan/plan.ts';
import { type Recipe, recipeFields } from '../../../src/recipe/schema.ts';
import type { SourceFile } from '../../../src/recipe/sources.ts';
import { distro, lock, makeRecipe } from './plan-inputs.ts';

const steps = [{ packages: ['jq'] }, { scripts: [{ name: 'first', source: 'a.sh' }], timeout: '10m' }];
const sources = [{ source: 'a.sh', path: '/r/a.sh', sha256: '1'.repeat(64), sizeBytes: 1 }];

function keysOf(
  settings: Partial<Record<keyof Recipe, unknown>> = {},
  files: readonly SourceFile[] = sources,
): LayerKeys {
  const recipe = makeRecipe({ provision: steps, ...settings });
  return makeLayerKeys({ recipe, distro, lock, sources: files, templatesSha256: 'f'.repeat(64) });
}

/** Which of the layers `install`, `step 0`, `step 1`, `seal` have other keys. */
function changedLayers(before: LayerKeys, after: LayerKeys): string[] {
  const list = (keys: LayerKeys): Record<string, string> => ({
    install: keys.install,
    ...Object.fromEntries(keys.provision.map((key, index) => [`step ${index}`, key])),
    seal: keys.seal,
  });
  const [one, other] = [list(before), list(after)];
  return [...new Set([...Object.keys(one), ...Object.keys(other)])].filter((name) => one[name] !== other[name]);
}

const all = ['install', 'step 0', 'step 1', 'seal'];
const fromSteps = ['step 0', 'step 1', 'seal'];

/** For each setting another value, and the layers that are made anew for it. A new setting needs a line here. */
const decisions: Readonly<Record<keyof Recipe, readonly [unknown, readonly string[]]>> = {
  name: ['web', []],
  distro: ['testian-1b', all],
  arch: ['arm64', all],
  firmware: ['uefi', all],
  cpus: [5, []],
  memory: ['5GiB', []],
  disk: [{ size: '9GiB' }, all],
  hostname: ['web', all],
  locale: ['de_DE.UTF-8', all],
  timezone: ['Europe/Berlin', all],
  keyboard: ['de', all],
  packages: [['curl'], all],
  users: [[{ name: 'ops', sshKeys: ['ssh-ed25519 AAAA'] }], fromSteps],
  mirror: ['http://m.example.org/debian', []],
  securityMirror: ['http://m.example.org/security', []],
  imageMirror: ['http://m.example.org/debian', ['seal']],
  imageSecurityMirror: ['http://m.example.org/security', ['seal']],
  proxy: ['http://p.example.org:3128', []],
  kernelArguments: [['nomodeset'], all],
  provision: [
    [steps[0], { packages: ['curl'] }],
    ['step 1', 'seal'],
  ],
  limits: [{ ssh: '1h' }, []],
  formats: [['ova'], []],
};

describe('layer keys', () => {
  it('have a decision for every setting of the schema', () => {
    const settings = Object.keys(recipeFields.shape).sort();
    expect(Object.keys(layerOfSetting).sort()).toEqual(settings);
    expect(Object.keys(decisions).sort()).toEqual(settings);
  });

  it.each(Object.entries(decisions))('change with %s exactly where it goes in', (setting, [value, expected]) => {
    expect(changedLayers(keysOf(), keysOf({ [setting]: value }))).toEqual(expected);
  });

  it.each([
    ['a step’s time limit', [steps[0], { ...steps[1], timeout: '20m' }], []],
    ['the name of a script', [steps[0], { scripts: [{ name: 'other', source: 'a.sh' }] }], []],
    ['the first step', [{ packages: ['curl'] }, steps[1]], fromSteps],
    ['a step more', [...steps, { packages: ['curl'] }], ['seal', 'step 2']],
    ['a step less', [steps[0]], ['step 1', 'seal']],
    ['no steps', [], fromSteps],
  ])('change with %s as they must', (_, provision, expected) => {
    expect(changedLayers(keysOf(), keysOf({ provision })).sort()).toEqual([...expected].sort());
  });

  it('change with the content of a source file, not with its place', () => {
    const moved = sources.map((source) => ({ ...source, path: '/elsewhere/a.sh' }));
    const edited = sources.map((source) => ({ ...source, sha256: '2'.repeat(64) }));
    expect(changedLayers(keysOf(), keysOf({}, moved))).toEqual([]);
    expect(changedLayers(keysOf(), keysOf({}, edited))).toEqual(['step 1', 'seal']);
  });

  it('change with the media, the templates and the facts of the distro', () => {
    const recipe = makeRecipe();
    const base = { recipe, distro, lock, sources: [], templatesSha256: 'f'.repeat(64) };
    const keys = makeLayerKeys(base).install;
    const others = [
      { ...base, templatesSha256: '0'.repeat(64) },
      { ...base, lock: { ...lock, kernel: { ...lock.kernel, sha256: '0'.repeat(64) } } },
      { ...base, lock: { ...lock, udebs: lock.udebs.slice(1) } },
      { ...base, distro: { ...distro, packages: ['sudo'] } },
      { ...base, distro: { ...distro, archPackages: { amd64: ['linux-image-cloud-amd64'] } } },
    ].map((inputs) => makeLayerKeys(inputs).install);
    expect(new Set([keys, ...others]).size).toBe(others.length + 1);
  });
});

describe('canonicalJson', () => {
  it('does not depend on the order of keys, nor on absent values', () => {
    expect(canonicalJson({ b: [{ d: 1, c: undefined }], a: null })).toBe('{"a":null,"b":[{"d":1}]}');
  });
});
