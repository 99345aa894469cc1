import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadRecipe } from '../../../src/recipe/load.ts';
import { exampleKey } from '../example-ssh-key.ts';

const base = `
name: ground
distro: debian-13
hostname: ground
disk: { size: 20GiB }
limits: { ssh: 9m }
users: [{ name: ops, sshKeys: [${exampleKey}] }]
provision:
  - scripts: [{ source: one.sh }]
`;

describe('a recipe on a base', () => {
  let folder = '';
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kvmimg-base-'));
    await write('grounds/ground.yaml', base);
    await write('grounds/one.sh', 'echo one\n');
    await write('two.sh', 'echo two\n');
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const write = async (name: string, text: string): Promise<void> => {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), text);
  };
  const load = async (text: string) => {
    await write('top.yaml', text);
    return loadRecipe({ subject: 'top.yaml', cwd: folder });
  };
  const problemsOf = async (text: string): Promise<string[]> =>
    (await load(text)).problems.map(({ place, message }) => `${place}: ${message}`);

  it('goes on where the base ends: users and steps after its own, other settings over them', async () => {
    const { recipe, sources, problems } = await load(
      'name: top\nbase: grounds/ground.yaml\nhostname: top\nlimits: { silence: 8m }\nprovision: [{ scripts: [{ source: two.sh }] }]\n',
    );
    expect(problems).toEqual([]);
    expect(recipe).toMatchObject({
      ...{ name: 'top', distro: 'debian-13', hostname: 'top', disk: { size: 20 * 2 ** 30 } },
      limits: { ssh: 9 * 60_000, silence: 8 * 60_000 },
      users: [{ name: 'ops' }],
    });
    expect(recipe?.base).toBeUndefined();
    const scripts = recipe?.provision.map((step) => step.scripts?.[0]?.source);
    expect(scripts).toEqual(['grounds/one.sh', 'two.sh']);
    expect(sources.map(({ path }) => path)).toEqual([join(folder, 'grounds/one.sh'), join(folder, 'two.sh')]);
  });

  it('tells of a mistake where it is, in the base or on top of it', async () => {
    await write('grounds/ground.yaml', base.replace('distro: debian-13', 'distro: debian-13\ntimezone: nowhere'));
    const problems = await problemsOf('name: top\nbase: grounds/ground.yaml\nprovision:\n  - scripts: []\n');
    expect(problems).toEqual([
      expect.stringMatching(/^grounds\/ground\.yaml:4:\d+ timezone: must be a time zone/),
      expect.stringMatching(/^top\.yaml:4:\d+ provision\[/),
    ]);
  });

  it.each([
    [
      'has no name of its own',
      'base: grounds/ground.yaml\n',
      /^top\.yaml:1:7 base: a recipe on a base must have a name/,
    ],
    [
      'names a base that is not there',
      'name: top\nbase: gone.yaml\n',
      /^top\.yaml:2:7 base: gone\.yaml: there is no such file$/,
    ],
    ['stands on itself', 'name: top\nbase: top.yaml\n', /stands on itself/],
    ['names an image that is not there', 'name: top\ndistro: debian-13\nbase: gone.qcow2\n', /base: there is no file/],
  ])('is refused when it %s', async (_, text, expected) => {
    expect(await problemsOf(text)).toEqual([expect.stringMatching(expected)]);
  });

  it('does not stand on a matrix', async () => {
    await write('grounds/ground.yaml', `${base}matrix: { hostname: [a, b] }\n`);
    expect(await problemsOf('name: top\nbase: grounds/ground.yaml\n')).toEqual([
      expect.stringMatching(/^grounds\/ground\.yaml:10:1 matrix: a recipe that others stand on cannot have a matrix$/),
    ]);
  });

  it('takes the path of an image from the folder of the recipe that says it', async () => {
    await write('grounds/disk.qcow2', 'not a disk');
    await write('grounds/ground.yaml', 'name: ground\ndistro: debian-13\nbase: disk.qcow2\n');
    const { sources, recipe } = await load('name: top\nbase: grounds/ground.yaml\n');
    expect(recipe?.base).toBe('grounds/disk.qcow2');
    expect(sources[0]?.path).toBe(join(folder, 'grounds/disk.qcow2'));
  });
});
