import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type LoadedRecipe, loadRecipe, loadRecipes, type RecipeRequest } from '../../../src/recipe/load.ts';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'kvmimg-matrix-'));
});
afterAll(() => rm(dir, { recursive: true }));

async function load(text: string, request: Partial<RecipeRequest> = {}): Promise<readonly LoadedRecipe[]> {
  await writeFile(join(dir, 'node.yaml'), text);
  return loadRecipes({ subject: 'node.yaml', cwd: dir, ...request });
}

/** `place: message hint`, one a problem of all recipes together. */
function lines(loaded: readonly LoadedRecipe[]): string[] {
  return loaded
    .flatMap(({ problems }) => problems)
    .map(({ place, message, hint }) => `${place}: ${message}${hint ? ` (${hint})` : ''}`);
}

function names(loaded: readonly LoadedRecipe[]): (string | undefined)[] {
  expect(lines(loaded)).toEqual([]);
  return loaded.map(({ recipe }) => recipe?.name);
}

const twoByTwo = 'name: web\nmatrix:\n  distro: [debian-12, debian-13]\n  disk.size: [8GiB, 20GiB]\n';

describe('loadRecipes', () => {
  it('gives one recipe where there is no matrix', async () => {
    expect(names(await load('distro: debian-13\n'))).toEqual(['debian-13']);
  });

  it('gives a recipe of every combination', async () => {
    const loaded = await load(twoByTwo);
    expect(names(loaded)).toEqual([
      'web-debian-12-8GiB',
      'web-debian-12-20GiB',
      'web-debian-13-8GiB',
      'web-debian-13-20GiB',
    ]);
    expect(loaded.map(({ distroId }) => distroId)).toEqual(['debian-12', 'debian-12', 'debian-13', 'debian-13']);
    expect(loaded.map(({ recipe }) => recipe?.disk.size)).toEqual([8, 20, 8, 20].map((size) => size * 2 ** 30));
    expect(loaded.map(({ recipe }) => recipe && 'matrix' in recipe)).toEqual([false, false, false, false]);
  });

  const namings: readonly [string, string, readonly string[]][] = [
    ['the distro is the name', 'matrix: {distro: [a, b], cpus: [1, 2]}', ['a-1', 'a-2', 'b-1', 'b-2']],
    ['the distro is the name, and no axis', 'distro: a\nmatrix: {cpus: [1, 2]}', ['a-1', 'a-2']],
    ['the name is an axis', 'distro: a\nmatrix: {name: [x, y], cpus: [1]}', ['x-1', 'y-1']],
    ['nested settings', 'distro: a\nmatrix: {disk: {size: [8GiB, 9GiB]}}', ['a-8GiB', 'a-9GiB']],
    ['lists', 'distro: a\nmatrix: {formats: [[qcow2], [raw, ova]]}', ['a-qcow2', 'a-raw-ova']],
    ['settings', 'distro: a\nmatrix: {disk: [{size: 8GiB}, {size: 9GiB}]}', ['a-size-8GiB', 'a-size-9GiB']],
    [
      'signs that no name has',
      'distro: a\nmatrix: {keyboard: [us, de(nodeadkeys)], timezone: [Europe/Berlin]}',
      ['a-us-Europe-Berlin', 'a-de-nodeadkeys-Europe-Berlin'],
    ],
    ['empty and very long values', `distro: a\nmatrix: {packages: [[], [${'p'.repeat(41)}]]}`, ['a-1', 'a-2']],
    [
      'entries of lists',
      'distro: a\nprovision: [{scripts: [{run: "true"}]}]\nmatrix: {"provision[0].timeout": [1m, 2m]}',
      ['a-1m', 'a-2m'],
    ],
  ];
  it.each(namings)('names images where there are: %s', async (_, text, expected) => {
    expect(names(await load(text))).toEqual(expected);
  });

  const overridden: readonly [string, readonly string[]][] = [
    ['distro=debian-13', ['web-8GiB', 'web-20GiB']],
    ['disk={size: 30GiB}', ['web-debian-12', 'web-debian-13']],
    ['name=db', ['db-debian-12-8GiB', 'db-debian-12-20GiB', 'db-debian-13-8GiB', 'db-debian-13-20GiB']],
    ['matrix.distro=[debian-13]', ['web-debian-13-8GiB', 'web-debian-13-20GiB']],
    ['matrix={cpus: [1, 2]}', ['web-1', 'web-2']],
  ];
  it.each(overridden)('--set %s comes before the matrix', async (set, expected) => {
    expect(names(await load(`distro: debian-13\n${twoByTwo}`, { sets: [set] }))).toEqual(expected);
  });

  it('puts --set into every image, and flags over its axes', async () => {
    const loaded = await load('distro: debian-13\nmatrix: {disk: [{size: 8GiB}], arch: [amd64, arm64]}\n', {
      sets: ['disk.size=30GiB', 'cpus=3'],
      flags: [{ path: ['arch'], value: 'arm64', place: '--arch' }],
    });
    expect(names(loaded)).toEqual(['debian-13-size-8GiB']);
    expect(loaded[0]?.recipe).toMatchObject({ arch: 'arm64', cpus: 3, disk: { size: 30 * 2 ** 30 } });
  });

  it('takes a matrix from the command line', async () => {
    const sets = ['matrix={disk.size: [8GiB, huge]}'];
    const loaded = await loadRecipes({ subject: 'debian-13', sets, cwd: dir });
    expect(lines(loaded)).toEqual(['--set matrix["disk.size"][1]: must be a size such as 8GiB, not "huge"']);
    const good = await loadRecipes({ subject: 'debian-13', sets: ['matrix.cpus=[1, 2]'], cwd: dir });
    expect(names(good)).toEqual(['debian-13-1', 'debian-13-2']);
  });
});

describe('problems of a matrix', () => {
  it('are told once each, at the value or setting that makes them', async () => {
    const loaded = await load(
      [
        'hostname: Web',
        'matrix:',
        '  distro: [debian-12, debian-13]',
        '  disk.size:',
        '    - 8GiB',
        '    - huge',
        '  users: [[{name: ops, sshKeys: [rubbish]}]]',
        '  dsk.size: [8GiB, 9GiB]',
        '  colour: [red, blue]',
        '  hostname.x: [a, b]',
      ].join('\n'),
      { sets: ['cpus=many'] },
    );
    expect(lines(loaded).map((line) => line.replace(/ \(Known: .*/, ''))).toEqual([
      'node.yaml:10:3 matrix["hostname.x"]: hostname is a single value, it has no parts',
      '--set cpus: must be a number, not "many"',
      'node.yaml:1:11 hostname: must be a host name: a-z, 0-9 and -, at most 63 characters, not "Web"',
      'node.yaml:7:34 matrix.users[0][0].sshKeys[0]: must be an SSH public key, not "rubbish"',
      'node.yaml:8:3 matrix["dsk.size"]: is not a setting (Did you mean disk?)',
      'node.yaml:9:3 matrix.colour: is not a setting',
      'node.yaml:6:7 matrix["disk.size"][1]: must be a size such as 8GiB, not "huge"',
    ]);
    expect(loaded.filter(({ recipe }) => recipe !== undefined)).toEqual([]);
    expect(new Set(loaded.map(({ distroId }) => distroId))).toEqual(new Set(['debian-12', 'debian-13']));
  });

  it('of one image leave no image', async () => {
    const loaded = await load('matrix: {distro: [a, b], cpus: [1, 100]}\n');
    expect(lines(loaded)).toEqual(['node.yaml:1:36 matrix.cpus[1]: must be at most 64, not 100']);
    expect(loaded.map(({ recipe }) => recipe)).toEqual([undefined, undefined, undefined, undefined]);
    expect(loaded.map(({ placeOf }) => placeOf(['distro']))).toEqual([
      'node.yaml:1:19 matrix.distro[0]',
      'node.yaml:1:19 matrix.distro[0]',
      'node.yaml:1:22 matrix.distro[1]',
      'node.yaml:1:22 matrix.distro[1]',
    ]);
  });

  const shapes: readonly [string, readonly string[]][] = [
    ['matrix:', ['1:8 matrix: has no value']],
    ['matrix: [a]', ['1:9 matrix: must be settings (`disk.size: [8GiB, 20GiB]`)']],
    ['matrix: {}', ['1:9 matrix: must name at least one setting']],
    ['matrix: {cpus: 2}', ['1:16 matrix.cpus: must be a list']],
    ['matrix: {cpus: []}', ['1:16 matrix.cpus: must have at least 1 entry']],
    ['matrix: {disk: {size: }}', ['matrix.disk.size: has no value']],
    ['matrix: {a..b: [1]}', ['1:10 matrix["a..b"]: is no path of a setting (Such as disk.size or users[0].name)']],
    ['matrix: {matrix: {cpus: [1]}}', ['1:10 matrix.matrix: cannot be in a matrix (Put its axes here.)']],
    [
      'matrix: {disk: {size: [8GiB]}, disk.size: [9GiB]}',
      ['1:32 matrix["disk.size"]: sets what matrix.disk.size sets'],
    ],
    ['matrix: {disk.size: [8GiB], disk: [{}]}', ['1:29 matrix.disk: sets what matrix["disk.size"] sets']],
    ['matrix: &m {disk: *m}', ['is too deep']],
    ['matrix: {packages: [&a [*a]]}', ['must be text, not a list']],
    [
      'matrix: {packages: [["a+b"], [cc], ["a~b"]], cpus: [1, 2]}',
      ['must be a package name, not "a~b"', 'matrix.packages[2]: makes a second image named debian-13-a-b-1'],
    ],
    [
      'matrix: {keyboard: [us-a, us], locale: [b, a-b]}',
      [
        'matrix.keyboard[1]: makes a second image named debian-13-us-a-b: matrix.keyboard[1] and matrix.locale[1], like matrix.keyboard[0] and matrix.locale[0] (Names are made of the values: spell one otherwise.)',
      ],
    ],
    [
      'matrix: {cpus: [1, 2, 1]}',
      ['1:23 matrix.cpus[2]: makes a second image named debian-13-1: matrix.cpus[2], like'],
    ],
    [
      `matrix: {cpus: [${Array.from({ length: 13 }, (_, index) => index + 1)}], memory: [1GiB, 2GiB, 3GiB, 4GiB, 5GiB]}`,
      ['1:1 matrix: makes 65 images, at most 64 are allowed'],
    ],
    [
      `name: ${'n'.repeat(100)}\nmatrix: {cpus: [1]}`,
      [`2:1 matrix: makes the name ${'n'.repeat(100)}-1 of 102 characters, at most 100 are allowed`],
    ],
  ];
  it.each(shapes)('are found in %s', async (text, expected) => {
    const told = lines(await load(`${text}\ndistro: debian-13\n`));
    for (const line of expected) expect(told.filter((one) => one.includes(line))).toHaveLength(1);
  });

  it('are nothing but the matrix, where the rest is right', async () => {
    expect(lines(await load('distro: debian-13\nmatrix: {cpus: 2, memory: []}\n'))).toHaveLength(2);
    expect(lines(await load('matrix: {distro: debian-13}\n'))).toEqual([
      'node.yaml:1:18 matrix.distro: must be a list',
    ]);
  });

  it('allow as many images as the limit says', async () => {
    const numbers = Array.from({ length: 64 }, (_, index) => index + 1);
    expect(names(await load(`distro: debian-13\nmatrix: {cpus: [${numbers}]}\n`))).toHaveLength(64);
  });
});

describe('loadRecipe', () => {
  it('takes a recipe whose matrix makes several for a mistake, and says how to choose', async () => {
    await writeFile(join(dir, 'node.yaml'), twoByTwo);
    const loaded = await loadRecipe({ subject: 'node.yaml', cwd: dir });
    expect(loaded.recipe).toBeUndefined();
    expect(lines([loaded])).toEqual([
      'node.yaml:2:1 matrix: makes 4 images, and this command takes one (Choose by --set distro=... --set disk.size=...; `kvmimg build` builds them all.)',
    ]);
  });

  it('takes the one that is chosen', async () => {
    const { recipe } = await loadRecipe({
      subject: 'node.yaml',
      sets: ['distro=debian-13', 'disk.size=8GiB'],
      cwd: dir,
    });
    expect(recipe).toMatchObject({ name: 'web', distro: 'debian-13', disk: { size: 2 ** 33 } });
  });
});
