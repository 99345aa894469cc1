import { describe, expect, it } from 'vitest';
import { findDistro, listDistroIds } from '../../../src/distro/catalogue.ts';
import type { Distro } from '../../../src/distro/schema.ts';
import { checkVolumes } from '../../../src/plan/volume-rules.ts';
import { completeRecipe } from '../../../src/recipe/complete.ts';
import { formatPath } from '../../../src/recipe/path.ts';
import { recipeSchema } from '../../../src/recipe/schema.ts';
import { makeInputs, distro as testian } from './plan-inputs.ts';

function problemsOf(disk: object, distro: Distro = testian): string[] {
  const recipe = completeRecipe(recipeSchema.parse({ distro: distro.id, disk }), distro);
  const problems = checkVolumes({ ...makeInputs({}), recipe, distro, placeOf: formatPath });
  return problems.map(({ place, message }) => `${place}: ${message}`);
}

const volume = (path: string, size = '1GiB') => ({ path, size });

describe('a disk with one root', () => {
  it.each([['100GiB'], ['7GiB'], ['5121MiB']])('has no room for %s of swap on 8 GiB', (swap) => {
    expect(problemsOf({ size: '8GiB', swap })).toEqual([
      expect.stringMatching(/^disk\.size: swap takes .*, and Testian 1 needs 3\.0 GiB besides$/),
    ]);
  });

  it('has room for what the distribution leaves', () => {
    expect(problemsOf({ size: '8GiB', swap: '5GiB' })).toEqual([]);
  });

  it('may be as small as each distribution says', async () => {
    const distros = await Promise.all((await listDistroIds()).map((id) => findDistro(id)));
    expect(distros.length).toBeGreaterThan(10);
    for (const distro of distros) {
      if (!distro) throw new Error('no distro');
      expect(problemsOf({ size: distro.diskMinimum }, distro)).toEqual([]);
    }
  });
});

describe('a disk whose size the recipe does not say', () => {
  const tooLarge = /makes a disk of .* TiB; it must be less than 2 TiB/;

  it.each([
    ['volumes', { layout: 'separate', volumes: [volume('/a', '3TiB')] }],
    ['volumes', { layout: 'lvm', volumes: [volume('/a', '2047GiB')] }],
    ['swap', { swap: '2TiB' }],
  ])('cannot be made 2 TiB by its %s', (setting, disk) => {
    const problems = problemsOf(disk);
    expect(problems).toEqual([expect.stringMatching(tooLarge)]);
    expect(problems[0]).toMatch(`disk.${setting}: `);
  });

  it('can be made large', () => {
    expect(problemsOf({ layout: 'separate', volumes: [volume('/a', '1TiB')], swap: '64GiB' })).toEqual([]);
  });
});

describe('volumes', () => {
  const problemsOfPaths = (layout: string, paths: readonly string[], distro?: Distro): string[] =>
    problemsOf({ layout, volumes: paths.map((path) => volume(path)) }, distro);

  it.each([
    ...['/boot', '/boot/efi', '/etc', '/etc/ssh', '/proc', '/proc/sys', '/sys/fs', '/dev/shm', '/run/lock', '/bin/x'],
    ...['/sbin', '/lib/modules', '/lib64/x', '/usr', '/usr/bin', '/usr/bin/x', '/usr/sbin', '/usr/lib/systemd'],
    ...['/usr/lib64', '/root', '/var/run', '/var/lock/x'],
  ])('cannot be at %s', (path) => {
    expect(problemsOfPaths('separate', [path])).toEqual([
      `disk.volumes[0].path: ${path} cannot be a file system of its own`,
    ]);
  });

  it.each([
    ...['/usr/local', '/usr/share', '/usr/libexec', '/opt', '/srv', '/var', '/var/lib', '/var/log/audit', '/home/ops'],
    ...['/data', '/tmp', '/binaries', '/library', '/root-of-data', '/var/running'],
  ])('can be at %s', (path) => {
    expect(problemsOfPaths('separate', [path])).toEqual([]);
    expect(problemsOfPaths('lvm', [path])).toEqual([]);
  });

  it.each(['/snapshots', '/pvmove0', '/srv/cdata', '/a_rimage_0', '/x-tmeta', '/a/mlog', '/pmspare/x_pmspare'])(
    'cannot have the name of %s in LVM, which keeps it for itself',
    (path) => {
      expect(problemsOfPaths('lvm', [path])).toEqual([
        expect.stringMatching(/^disk\.volumes\[0\]\.path: .*makes the name .*, which LVM keeps for itself$/),
      ]);
      expect(problemsOfPaths('separate', [path])).toEqual([]);
    },
  );

  it('have names in LVM that are not too long', () => {
    const path = `/${'a'.repeat(101)}`;
    expect(problemsOfPaths('lvm', [path])).toEqual([
      `disk.volumes[0].path: ${path} is too long for LVM: at most 100 characters`,
    ]);
    expect(problemsOfPaths('separate', [path])).toEqual([]);
    expect(problemsOfPaths('lvm', [path.slice(0, -1)])).toEqual([]);
  });

  it('have names of their own where they are called by them', async () => {
    const paths = ['/a-b', '/a_b'];
    expect(problemsOfPaths('lvm', paths)).toEqual([
      'disk.volumes[1].path: /a_b has the same name in LVM as another volume',
    ]);
    expect(problemsOfPaths('separate', paths)).toEqual([]);
    const ubuntu = await findDistro('ubuntu-2404');
    expect(problemsOfPaths('separate', paths, ubuntu)).toEqual([
      'disk.volumes[1].path: /a_b has the same name as another volume',
    ]);
  });
});
