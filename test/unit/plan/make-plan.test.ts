import { describe, expect, it } from 'vitest';
import { findDistro } from '../../../src/distro/catalogue.ts';
import { chooseMirrors, makePlan, type PlanInputs } from '../../../src/plan/make-plan.ts';
import type { Plan } from '../../../src/plan/plan.ts';
import { publicKey } from '../public-key.ts';
import { makeInputs, makeRecipe } from './plan-inputs.ts';

function planOf(inputs: PlanInputs): Plan {
  const made = makePlan(inputs);
  if ('problems' in made) throw new Error(JSON.stringify(made.problems));
  return made.plan;
}

function problemsOf(inputs: PlanInputs): string[] {
  const made = makePlan(inputs);
  return 'problems' in made ? made.problems.map((problem) => `${problem.place}: ${problem.message}`) : [];
}

describe('makePlan', () => {
  it('describes the whole build', () => {
    const plan = planOf(makeInputs({ recipe: { name: 'web', formats: ['qcow2', 'ova'] } }));
    expect(plan).toMatchObject({
      planVersion: 1,
      name: 'web',
      outputs: [
        { format: 'qcow2', path: '/out/web.qcow2' },
        { format: 'ova', path: '/out/web.ova' },
      ],
      manifestPath: '/out/web.manifest.json',
    });
    expect(plan.layers.map((layer) => layer.title)).toEqual([
      ...['install', 'seal', 'verify', 'export qcow2', 'export ova'],
    ]);
    expect(plan.distro).toMatchObject({ skipUdebs: ['jfs-modules-6.1-amd64-di'] });
    expect(JSON.parse(JSON.stringify(plan))).toEqual(plan);
  });

  it('has a digest of everything in it, the same for the same', () => {
    const digest = planOf(makeInputs({})).digest;
    expect(planOf(makeInputs({})).digest).toBe(digest);
    expect(planOf(makeInputs({ recipe: { cpus: 3 } })).digest).not.toBe(digest);
    expect(planOf(makeInputs({ options: { force: true } })).digest).not.toBe(digest);
  });

  const mirrors = { main: 'http://near.example.org/debian', security: undefined };
  it.each([
    ['the public mirror', {}, 'http://public.example.org/debian', 'public default'],
    ["the host's", { facts: { mirrors } }, 'http://near.example.org/debian', "this host's apt configuration"],
    [
      "the recipe's",
      { facts: { mirrors }, recipe: { mirror: 'http://mine.example.org/d/' } },
      'http://mine.example.org/d',
      'recipe',
    ],
  ])('builds from %s', (_, changes, build, source) => {
    const plan = planOf(makeInputs(changes));
    expect(plan.mirrors).toMatchObject({ build, source, image: 'http://public.example.org/debian' });
    expect(plan.mirrors.buildSecurity).toBe('http://public.example.org/debian-security');
  });

  it('does not take a Debian host for the mirror of another family', async () => {
    const ubuntu = await findDistro('ubuntu-2404');
    if (!ubuntu) throw new Error('no ubuntu-2404');
    expect(chooseMirrors(makeRecipe(), ubuntu, mirrors).build).toBe('http://archive.ubuntu.com/ubuntu');
    const ports = chooseMirrors(makeRecipe({ arch: 'arm64' }), ubuntu, mirrors);
    expect([ports.build, ports.buildSecurity]).toEqual(Array(2).fill('http://ports.ubuntu.com/ubuntu-ports'));
  });
});

describe('problems of a plan', () => {
  const full = { path: '/full', obstacle: undefined, freeBytes: 2 ** 20, fileSystem: 7 };
  const locked = { path: '/locked', obstacle: '/locked may not be written by this user', freeBytes: 0, fileSystem: 8 };
  const cases: readonly [string, Parameters<typeof makeInputs>[0], readonly string[]][] = [
    ['an architecture that is not built', { recipe: { arch: 'arm64' } }, ['arch: Testian 1 cannot be built for arm64']],
    ['a missing lock', { withoutLock: true }, ['arch: there is no installer lock of testian-1 for amd64']],
    [
      "a repository by the distribution's name",
      { recipe: { repositories: [{ name: 'debian', url: 'http://r.example.org', key: publicKey }] } },
      ["repositories[0].name: debian may be a file of the distribution's own"],
    ],
    [
      'volumes in one root',
      { recipe: { disk: { volumes: [{ path: '/srv', size: '1GiB' }] } } },
      ['disk.volumes: the layout single has none'],
    ],
    [
      'volumes that leave too little',
      { recipe: { disk: { layout: 'lvm', size: '6GiB' } } },
      ['disk.size: volumes, boot partitions and swap take 4.6 GiB, and Testian 1 needs 3.0 GiB besides'],
    ],
    [
      'volumes that cannot be',
      {
        recipe: {
          disk: {
            ...{ layout: 'lvm', filesystem: 'xfs', size: '20GiB' },
            volumes: ['/boot', '/var/log', '/var-log']
              .map((path) => ({ path, size: '1GiB' }))
              .concat([{ path: '/srv', size: '100MiB' }]),
          },
        },
      },
      [
        'disk.volumes[0].path: /boot cannot be a file system of its own',
        'disk.volumes[2].path: /var-log has the same name in LVM as another volume',
        'disk.volumes[3].size: XFS needs 300 MiB at least, not 100 MiB',
      ],
    ],
    [
      'a name that dpkg does not take',
      { recipe: { packages: ['curl', 'NetworkManager'] } },
      ['packages[1]: NetworkManager is no name of a package of Testian 1'],
    ],
    [
      'an ISO for an installer that has none',
      { recipe: { installer: { iso: 'http://i.example.org/i.iso', sha256: 'a'.repeat(64) } } },
      ['installer.iso: Testian 1 is installed by its netboot image, not from an ISO or a tree'],
    ],
    [
      'an arm64 machine with a BIOS',
      { recipe: { arch: 'arm64', firmware: 'bios' }, distro: { arches: ['arm64'] } },
      ['firmware: arm64 machines have no BIOS'],
    ],
    [
      'KVM on a Mac',
      { facts: { platform: 'darwin' }, options: { accel: 'kvm' } },
      ["--accel: kvm does not exist on this host's system (darwin)"],
    ],
    [
      'KVM for a foreign architecture',
      { facts: { arch: 'arm64' }, options: { accel: 'kvm' } },
      ["--accel: kvm runs guests of this host's own architecture only, not amd64"],
    ],
    [
      'too little memory',
      { recipe: { memory: '512MiB' } },
      ['memory: the installer of Testian 1 needs 1.0 GiB, not 512 MiB'],
    ],
    [
      'more memory than there is',
      { recipe: { memory: '32GiB' } },
      ['memory: 32.0 GiB is more than this host has (16.0 GiB)'],
    ],
    ['a small disk', { recipe: { disk: { size: '1GiB' } } }, ['disk.size: Testian 1 needs 3.0 GiB, not 1.0 GiB']],
    [
      'an output folder that is locked',
      { facts: { output: locked } },
      ['--output: /locked cannot be written: /locked may not be written by this user'],
    ],
    [
      'a cache that is locked',
      { facts: { cache: locked } },
      ['KVMIMG_CACHE_DIR: /locked cannot be written: /locked may not be written by this user'],
    ],
    [
      'a full cache',
      { facts: { cache: full } },
      ['KVMIMG_CACHE_DIR: no space for the disk: /full has 1.0 MiB free, 1.0 GiB are needed at least'],
    ],
    [
      'a full output folder',
      { recipe: { formats: ['raw'] }, facts: { output: full } },
      ['--output: no space for the outputs: /full has 1.0 MiB free, 1.0 GiB are needed at least'],
    ],
    [
      'one file system for both',
      {
        recipe: { formats: ['raw'] },
        facts: { cache: { ...full, freeBytes: 1.5 * 2 ** 30 }, output: { ...full, freeBytes: 1.5 * 2 ** 30 } },
      },
      ['KVMIMG_CACHE_DIR: no space for the disk: /full has 1.5 GiB free, 2.0 GiB are needed at least'],
    ],
    [
      'outputs that exist',
      { facts: { existingOutputs: ['/out/a.ova', '/out/a.raw'] } },
      ['/out/a.ova: exists already', '/out/a.raw: exists already'],
    ],
    [
      'an output that is a folder, which nothing replaces',
      { facts: { existingOutputs: ['/out/a.ova'], blockedOutputs: ['/out/a.ova'] }, options: { force: true } },
      ['/out/a.ova: is there, and is no file to replace'],
    ],
    [
      'an output that is a folder once',
      { facts: { existingOutputs: ['/out/a.ova'], blockedOutputs: ['/out/a.ova'] } },
      ['/out/a.ova: is there, and is no file to replace'],
    ],
  ];
  it.each(cases)('tell of %s', (_, changes, expected) => {
    expect(problemsOf(makeInputs(changes))).toEqual(expected);
  });

  it('come all at once', () => {
    const inputs = makeInputs({ recipe: { memory: '1MiB', disk: { size: '1MiB' } }, facts: { cache: locked } });
    expect(problemsOf(inputs)).toHaveLength(3);
  });

  it('are none for outputs that are to be replaced', () => {
    expect(problemsOf(makeInputs({ facts: { existingOutputs: ['/out/a.ova'] }, options: { force: true } }))).toEqual(
      [],
    );
  });

  it('leave the host out when only the answer file is wanted', () => {
    const changes = {
      checksHost: false,
      facts: { cache: full, output: locked, existingOutputs: ['/out/x'], memoryBytes: 1 },
    };
    expect(problemsOf(makeInputs(changes))).toEqual([]);
    expect(problemsOf(makeInputs({ ...changes, recipe: { arch: 'arm64' } }))).toHaveLength(1);
  });
});
