import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runCli } from '../../../src/cli/run-cli.ts';
import { listDistroIds } from '../../../src/distro/catalogue.ts';
import { sha256Of } from '../../../src/media/digest.ts';
import { openDigestMemory } from '../../../src/media/digest-memory.ts';
import { publicKey } from '../public-key.ts';

let cwd: string;
beforeEach(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'kvmimg-cli-'));
});
afterEach(() => rm(cwd, { recursive: true }));

/** Runs a command line in an empty folder; `out` and `err` are what it writes. */
async function kvmimg(...args: string[]) {
  let out = '';
  let err = '';
  const status = await runCli(args, {
    output: {
      print: (line) => {
        out += `${line}\n`;
      },
      log: (line) => {
        err += `${line}\n`;
      },
      write: (text) => {
        err += text;
      },
      showLogIn: () => {},
      isTerminal: false,
    },
    env: { KVMIMG_CACHE_DIR: join(cwd, 'cache') },
    cwd,
  });
  return { status, out, err: err.trimEnd().split('\n') };
}

const known = (await listDistroIds()).join(', ');

describe('wrong command lines', () => {
  const cases: readonly (readonly [string, readonly string[]])[] = [
    ['bild debian-13', ["error: unknown command 'bild'", '(Did you mean build?)']],
    ['build', ["error: missing required argument 'distro|recipe.yaml'"]],
    ['build debian-13 --fromat ova', ["error: unknown option '--fromat'", '(Did you mean --format?)']],
    ['build debian-13 extra', [`error: extra: there is no distro extra. Known: ${known}.`]],
    [
      'build debian-13 debian-13',
      [
        'error: debian-13: several builds have this name, and would write the same files. Give each recipe a `name` of its own.',
      ],
    ],
    [
      'plan debian-13 --from seal --until install',
      ['error: --until: install comes before seal. The order is install, provision, seal, verify, export.'],
    ],
    [
      'plan debian-13 --only seal --until seal',
      ["error: option '--only <phase>' cannot be used with option '--until <phase>'"],
    ],
    [
      'plan debian-13 --accel xen',
      ["error: option '--accel <accel>' argument 'xen' is invalid. Allowed choices are auto, kvm, hvf, tcg."],
    ],
    ['plan debain-13', ['error: debain-13: there is no distro debain-13. Did you mean debian-13?']],
    ['plan gone.yaml', ['error: gone.yaml: there is no such file']],
    ['plan debian-13 --set cpsu=2', ['error: --set cpsu: is not a setting. Did you mean cpus?']],
    [
      'plan debian-13 --format ova,ovf',
      ['error: --format: must be one of qcow2, raw, vmdk, ova, not "ovf". Did you mean ova?'],
    ],
    ['render debian-13 --file late.hs', ['error: --file: there is no file late.hs. Did you mean late.sh?']],
    ['convert x.qcow2 --format vdi', ['error: --format: there is no format vdi. Known: qcow2, raw, vmdk, ova.']],
    [
      'convert x.qcow2 --format ova --hardware-version 7 --os-type debian12-64',
      [
        'error: --hardware-version: must be a whole number from 13 to 99',
        'error: --os-type: must be a VMware guest id such as debian12_64Guest',
      ],
    ],
    [
      'convert x.qcow2 --format ova --hardware-version new',
      ['error: --hardware-version: must be a whole number from 13 to 99'],
    ],
    [
      'convert x.qcow2 --format ova --controller nvme',
      ["error: option '--controller <name>' argument 'nvme' is invalid. Allowed choices are pvscsi, lsilogic."],
    ],
    [
      'convert x.qcow2 --format qcow2,raw --hardware-version 17 --no-disk-enable-uuid',
      [
        'error: --hardware-version: is of ova and vmdk, and --format has only qcow2, raw',
        'error: --disk-enable-uuid: is of ova, and --format has only qcow2, raw',
      ],
    ],
    [
      'lock debian-13 --mirror ftp://m.example.org/debian',
      ['error: --mirror: must be a plain http:// or https:// URL, with no user name, password or query'],
    ],
    ['lock debain-13', ['error: debain-13: there is no distro debain-13. Did you mean debian-13?']],
  ];
  it.each(cases)('%s: exit status 2, nothing on standard output', async (line, expected) => {
    const { status, out, err } = await kvmimg(...line.split(' '));
    expect(err.slice(0, expected.length)).toEqual(expected);
    expect(out).toBe('');
    expect(status).toBe(2);
  });

  it('tells three mistakes of a recipe and one of the command line in as many lines', async () => {
    await writeFile(
      join(cwd, 'web.yaml'),
      'distro: debain-13\nmemroy: 4GiB\nprovision:\n  - packages: [jq]\n    timeout: soon\n',
    );
    const { status, err } = await kvmimg('build', 'web.yaml', '--arch', 'i386');
    expect(err).toEqual([
      'error: --arch: must be one of amd64, arm64, not "i386"',
      'error: web.yaml:5:14 provision[0].timeout: must be a duration such as 90s, 10m or 2h, not "soon"',
      'error: web.yaml:2:1 memroy: is not a setting. Did you mean memory?',
      'error: web.yaml:1:9 distro: there is no distro debain-13. Did you mean debian-13?',
    ]);
    expect(status).toBe(2);
  });

  it('finds what stands in the way on this host', async () => {
    await mkdir(join(cwd, 'out'));
    await writeFile(join(cwd, 'out', 'debian-13.manifest.json'), '');
    await writeFile(join(cwd, 'a-file'), '');
    const exists = await kvmimg('build', 'debian-13');
    expect(exists.err).toEqual([
      `error: ${join(cwd, 'out', 'debian-13.manifest.json')}: exists already. Use --force to replace it.`,
    ]);
    const unwritable = await kvmimg('build', 'debian-13', '-o', 'a-file/out', '--force');
    expect(unwritable.err).toEqual([
      `error: --output: ${join(cwd, 'a-file/out')} cannot be written: ${join(cwd, 'a-file')} is not a folder`,
    ]);
    expect([exists.status, unwritable.status]).toEqual([2, 2]);
  });
});

describe('a wrong recipe', () => {
  const typo = 'error: --set cpsu: is not a setting. Did you mean cpus?';
  const exists = (name: string) => `error: ${join(cwd, 'out', name)}: exists already. Use --force to replace it.`;
  const wrong = (...args: string[]) => kvmimg('build', 'debian-13', '--set', 'cpsu=2', ...args);
  beforeEach(() => mkdir(join(cwd, 'out')));

  it('is told with folders that cannot be used', async () => {
    await writeFile(join(cwd, 'a-file'), '');
    const { status, err } = await wrong('-o', 'a-file/out', '--media', 'gone');
    expect(err).toEqual([
      typo,
      `error: --media: ${join(cwd, 'gone')} is not a folder`,
      `error: --output: ${join(cwd, 'a-file/out')} cannot be written: ${join(cwd, 'a-file')} is not a folder`,
    ]);
    expect(status).toBe(2);
  });

  it('is told with the files that are in the way of those that it names', async () => {
    for (const name of ['debian-13.qcow2', 'debian-13.ova', 'web.ova']) await writeFile(join(cwd, 'out', name), '');
    expect((await wrong()).err).toEqual([typo, exists('debian-13.qcow2')]);
    expect((await wrong('--format', 'raw,ova')).err).toEqual([typo, exists('debian-13.ova')]);
    expect((await wrong('--format', 'ova', '--set', 'name=web')).err).toEqual([typo, exists('web.ova')]);
    for (const flags of [['--force'], ['--until', 'seal'], ['--set', 'name=../x']]) {
      expect((await wrong(...flags)).err).not.toContain(exists('debian-13.qcow2'));
    }
  });

  it('is told without what may turn out to be an earlier build of the same', async () => {
    const path = join(cwd, 'out', 'debian-13.qcow2');
    await writeFile(path, 'image');
    const entry = { format: 'qcow2', file: 'debian-13.qcow2', sizeBytes: 5, sha256: '', exportedAt: '', layerKey: '' };
    const modifiedAt = (await stat(path)).mtime.toISOString();
    const files = [{ ...entry, modifiedAt, sealId: '' }];
    await writeFile(join(cwd, 'out', 'debian-13.manifest.json'), JSON.stringify({ files }));
    expect((await wrong()).err).toEqual([typo]);
    await writeFile(path, 'changed');
    expect((await wrong()).err).toEqual([typo, exists('debian-13.qcow2'), exists('debian-13.manifest.json')]);
  });

  it('is told alone by what builds nothing', async () => {
    await writeFile(join(cwd, 'out', 'debian-13.qcow2'), '');
    expect((await kvmimg('render', 'debian-13', '--set', 'cpsu=2')).err).toEqual([typo]);
  });
});

describe('with --log-format json what is wrong', () => {
  it.each([
    [
      'of the recipe',
      'build debian-13 --set cpsu=2 --set memroy=1 --log-format json',
      [/^--set cpsu/, /^--set memroy/],
    ],
    ['of the values of flags', 'build debain-13 --log-format=json', [/^debain-13/]],
    ['of several builds', 'build debian-13 debian-13 --log-format json', [/^debian-13/]],
  ] as const)('%s is one line with every problem', async (_, line, places) => {
    const { status, out, err } = await kvmimg(...line.split(' '));
    expect([status, out]).toEqual([2, '']);
    expect(err.map((text) => JSON.parse(text))).toEqual([
      {
        ...{ elapsedSeconds: expect.any(Number), type: 'error', exitStatus: 2, code: 'input' },
        message: expect.any(String),
        problems: places.map((place) => expect.objectContaining({ place: expect.stringMatching(place) })),
      },
    ]);
  });

  it.each([
    ['build debian-13 --log-format json --fromat ova', "unknown option '--fromat'\n(Did you mean --format?)"],
    ['build --log-format json', "missing required argument 'distro|recipe.yaml'"],
  ])('of the command line itself is one line: %s', async (line, message) => {
    const { status, err } = await kvmimg(...line.split(' '));
    expect(status).toBe(2);
    expect(err.map((text) => JSON.parse(text))).toMatchObject([{ type: 'error', code: 'input', message }]);
  });

  it('is text where another format is said last, or the words are of a guest', async () => {
    const last = await kvmimg('build', 'debain-13', '--log-format', 'json', '--log-format', 'plain');
    const guests = await kvmimg('shell', 'nothing-there', '--', 'run', '--log-format', 'json');
    for (const { err } of [last, guests]) expect(err[0]).toMatch(/^error: /);
  });
});

describe('a setting that nothing heeds', () => {
  const repository = `name: more, url: 'http://r.example.org', key: ${JSON.stringify(publicKey)}`;
  it.each([
    ['securityMirror=http://s.example.org', 'securityMirror', 'has no mirror of its own for security updates'],
    ['imageSecurityMirror=http://s.example.org', 'imageSecurityMirror', 'has no mirror of its own'],
    [`repositories=[{${repository}, suite: stable}]`, 'repositories', 'is of apt repositories'],
    [`repositories=[{${repository}, components: [a, b]}]`, 'repositories', 'is of apt repositories'],
    [`installer.sha256=${'a'.repeat(64)}`, 'installer.sha256', 'is not installed from one here'],
  ])('is refused: %s', async (set, place, message) => {
    const { status, err } = await kvmimg('plan', 'rocky-9', '--set', set);
    expect(status).toBe(2);
    expect(err).toEqual([expect.stringMatching(`^error: --set ${place}.*: .*${message}`)]);
  });

  it('is heeded by others', async () => {
    const sets = ['securityMirror=http://s.example.org', `repositories=[{${repository}, suite: /}]`];
    const { status } = await kvmimg('plan', 'ubuntu-2404', ...sets.flatMap((set) => ['--set', set]));
    expect(status).toBe(0);
  });
});

describe('an image that is none', () => {
  it.each([
    ['inspect', 'gone'],
    ['convert --format raw', 'gone'],
  ])('%s %s: exit status 2, one line, its path once', async (command, name) => {
    const { status, err } = await kvmimg(...command.split(' '), name);
    expect(err).toEqual([`error: ${join(cwd, name)}: does not exist. Check the path.`]);
    expect(status).toBe(2);
  });

  it.each(['inspect', 'convert --format raw'])('%s of a text: the same', async (command) => {
    await writeFile(join(cwd, 'node.yaml'), 'distro: debian-13\n');
    const { status, err } = await kvmimg(...command.split(' '), 'node.yaml');
    const message = 'is not a disk image: it is a text file. kvmimg reads qcow2, raw, vmdk and ova.';
    expect(err).toEqual([`error: ${join(cwd, 'node.yaml')}: ${message}`]);
    expect(status).toBe(2);
  });
});

describe('what was meant', () => {
  it('is a file of the name that no distro has', async () => {
    await writeFile(join(cwd, 'recipe'), 'distro: debian-13\n');
    const { err } = await kvmimg('plan', 'recipe');
    expect(err).toEqual(['error: recipe: there is no distro recipe. For the file write ./recipe']);
  });

  it('is no ISO of Debian, there or not', async () => {
    const { err } = await kvmimg('plan', 'debian-13', '--iso', 'gone.iso');
    const message = 'Debian 13 (trixie) is installed by its netboot image, not from an ISO or a tree';
    expect(err).toEqual([`error: --iso: ${message}`]);
  });
});

describe('files that a recipe names', () => {
  const iso = ['--iso', 'i.iso', '--set', `installer.sha256=${'a'.repeat(64)}`];
  const repository = (key: string) => `repositories=[{name: more, url: 'http://r.example.org', ${key}}]`;
  it.each([
    ['another ISO', iso, 'installer.sha256: .*/i.iso has the SHA-256 [0-9a-f]{64}, not a{64}'],
    ['a folder of media that is none', ['--media', 'i.iso'], '--media: .*/i.iso is not a folder'],
    ['a file URL of another host', ['--iso', 'file://host/i.iso'], '--iso: file://host/i.iso names no file of this'],
    ['an empty answer file', ['--answer-file', 'empty'], '--answer-file: .*/empty is empty'],
    ['an answer file in Latin-1', ['--answer-file', 'latin'], '--answer-file: .*/latin is not UTF-8 text'],
    ['a script in Latin-1', ['--set', 'provision=[{scripts: [{source: latin}]}]'], 'latin is not UTF-8 text'],
    ['no key', ['--set', repository('key: hello')], 'must be an OpenPGP public key in ASCII armour'],
    ['a binary key', ['--set', repository('keySource: latin')], 'latin must be an OpenPGP public key in ASCII armour'],
  ])('are looked at: %s', async (_, flags, message) => {
    await writeFile(join(cwd, 'i.iso'), 'no ISO');
    await writeFile(join(cwd, 'empty'), '\n');
    await writeFile(join(cwd, 'latin'), Buffer.from('M\xfcnchen\n', 'latin1'));
    const { status, err, out } = await kvmimg('plan', 'ubuntu-2404', ...flags);
    expect([status, out]).toEqual([2, '']);
    expect(err).toEqual([expect.stringMatching(message)]);
  });

  it('are UTF-8, the recipe itself among them', async () => {
    await writeFile(join(cwd, 'r.yaml'), Buffer.from('distro: debian-13\n# M\xfcnchen\n', 'latin1'));
    expect((await kvmimg('plan', 'r.yaml')).err).toEqual(['error: r.yaml: is not UTF-8 text']);
  });
});

describe('plan', () => {
  it('warns of an ISO that only a folder can have, and names no mirror that nobody asks', async () => {
    const { status, out, err } = await kvmimg('plan', 'rhel-9', '--accel', 'tcg');
    expect(err).toEqual(['warning: rhel-9.4-x86_64-dvd.iso is in no --media folder; name it with --iso.']);
    expect(out).toContain('mirror:    none: packages come from the ISO\n');
    expect(status).toBe(0);
  });

  it('warns of an answer file that does not let the build in, and refuses names that nothing is known for', async () => {
    const plan = async (text: string) => {
      await writeFile(join(cwd, 'my.cfg'), text);
      return kvmimg('plan', 'debian-13', '--answer-file', 'my.cfg', '--accel', 'tcg');
    };
    expect((await plan('d-i a b c\n')).err[0]).toContain('my.cfg has neither {{buildUserKey}} nor {{seedUrl}}: ');
    expect((await plan('d-i a b {{seedUrl}}\n')).err).toEqual(['']);
    const { status, err } = await plan('{{packages}} {{seedUrl}}\n');
    expect(err[0]).toContain('my.cfg: nothing is filled in for {{packages}}');
    expect(status).toBe(2);
  });

  it('warns of a key that lets nobody in', async () => {
    const { status, err } = await kvmimg('plan', 'debian-13', '--set', 'users=[{name: ops, sshKeys: [ssh-rsa AAAA]}]');
    expect(status).toBe(0);
    expect(err).toEqual([
      'warning: users[0].sshKeys[0] is no whole public key of a known type: ops cannot log in by it.',
    ]);
  });

  it.each([
    ['a controller and no OVA', 'vmdk', 'controller: lsilogic', 'ovf.controller is of ova, and formats has only vmdk.'],
    [
      'a hardware version for nothing',
      'raw',
      'hardwareVersion: 17',
      'ovf.hardwareVersion is of ova and vmdk, and formats has only raw.',
    ],
    [
      'hardware that may not know the distro',
      'ova',
      'hardwareVersion: 14',
      'ovf.hardwareVersion is 14, and Debian 13 (trixie) is told as debian10_64Guest, which hosts older than 15 may not know: say ovf.osType as well.',
    ],
  ])('warns of %s', async (_, format, ovf, warning) => {
    const { status, err } = await kvmimg('plan', 'debian-13', '--format', format, '--set', `ovf={${ovf}}`);
    expect(status).toBe(0);
    expect(err).toEqual([`warning: ${warning}`]);
  });

  it.each([
    ['qcow2', 'controller: pvscsi'],
    ['vmdk', 'hardwareVersion: 17'],
    ['ova', 'hardwareVersion: 14, osType: otherGuest'],
    ['vmdk', 'hardwareVersion: 14'],
  ])('does not warn for %s of ovf: %s', async (format, ovf) => {
    const { err } = await kvmimg('plan', 'debian-13', '--format', format, '--set', `ovf={${ovf}}`);
    expect(err).toEqual(['']);
  });

  it('refuses what build would: one phase alone on nothing', async () => {
    const { status, err } = await kvmimg('plan', 'debian-13', '--only', 'seal');
    expect(status).toBe(2);
    expect(err[0]).toMatch(/^error: --only: install is not in the cache/);
  });

  it('prints the plan as JSON and leaves nothing behind', async () => {
    const { status, out } = await kvmimg('plan', 'debian-13', '--json', '--format', 'raw,ova', '--set', 'name=web');
    expect(status).toBe(0);
    const { plan } = JSON.parse(out);
    expect(plan).toMatchObject({
      planVersion: 1,
      name: 'web',
      outputDir: join(cwd, 'out'),
      cacheDir: join(cwd, 'cache'),
    });
    expect(plan.outputs.map((output: { format: string }) => output.format)).toEqual(['raw', 'ova']);
    expect(await readdir(cwd)).toEqual([]);
  });

  it('takes every flag of build', async () => {
    for (const dir of ['m1', 'm2']) await mkdir(join(cwd, dir));
    const flags =
      '--accel tcg --media m1 --media m2 --offline -o there --force --no-cache --keep-on-failure --firmware uefi';
    const { out } = await kvmimg(
      'plan',
      'debian-13',
      '--json',
      '--mirror',
      'http://m.example.org/debian/',
      ...flags.split(' '),
    );
    expect(JSON.parse(out).plan).toMatchObject({
      accel: 'tcg',
      mediaDirs: [join(cwd, 'm1'), join(cwd, 'm2')],
      offline: true,
      outputDir: join(cwd, 'there'),
      force: true,
      cache: 'ignore',
      keepOnFailure: true,
      recipe: { firmware: 'uefi' },
      mirrors: { build: 'http://m.example.org/debian', source: 'recipe' },
    });
  });

  it('tells a person in a few lines', async () => {
    const { out } = await kvmimg('plan', 'debian-13', '--set', 'provision=[{packages: [jq]}]');
    expect(out).toMatch(/^name: {6}debian-13\ndistro: {4}Debian 13 \(trixie\) for amd64\ninstaller: 13\.\d/);
    expect(out).toMatch(/^install: will run, because no layer of it is in the cache$/m);
    expect(out).toMatch(/^provision\[0\] \(packages jq\): will run, because install runs$/m);
  });

  it('does not read an ISO again that an earlier build has read', async () => {
    const path = join(cwd, 'big.iso');
    await writeFile(path, 'first');
    const planned = async () => {
      const { out } = await kvmimg('plan', 'ubuntu-2404', '--iso', 'big.iso', '--json');
      return JSON.parse(out).plan.sources[0].sha256;
    };
    expect(await planned()).toBe(sha256Of('first'));
    expect(await readdir(cwd)).toEqual(['big.iso']);
    const noted = { algorithm: 'sha256', hex: 'ab'.repeat(32), sizeBytes: 5 } as const;
    await openDigestMemory(join(cwd, 'cache')).remember(path, noted);
    expect(await planned()).toBe(noted.hex);
    await writeFile(path, 'other');
    expect(await planned()).toBe(sha256Of('other'));
  });
});

describe('render', () => {
  it('prints the answer file with placeholders, whatever this host has', async () => {
    const { status, out } = await kvmimg('render', 'debian-13', '--set', 'timezone=Europe/Berlin');
    expect(status).toBe(0);
    expect(out).toContain('d-i time/zone string Europe/Berlin\n');
    expect(out).toContain('http://10.0.2.2:PORT/TOKEN/seed/late.sh');
  });

  it('prints a script of it', async () => {
    const { out } = await kvmimg('render', 'debian-13', '--file', 'late.sh', '--set', 'kernelArguments=[nomodeset]');
    expect(out).toMatch(/^#!\/bin\/sh\n[\s\S]*kernel_arguments=nomodeset\n/);
  });
});

describe('small commands', () => {
  it('list the distros', async () => {
    const { out } = await kvmimg('distros', '--json');
    expect(JSON.parse(out)).toContainEqual(expect.objectContaining({ id: 'debian-13', arches: ['amd64', 'arm64'] }));
    expect((await kvmimg('distros')).out).toMatch(
      /^debian-13 +Debian 13 \(trixie\) +amd64\S*( arm64)? +netboot 13\.\d(, 13\.\d)?$/m,
    );
  });

  it('print the cache folder', async () => {
    expect(await kvmimg('cache', 'path')).toEqual({ status: 0, out: `${join(cwd, 'cache')}\n`, err: [''] });
  });

  it.each([['--help'], ['build', '--help'], ['help', 'build'], ['--version']])('%s %s is no error', async (...args) => {
    const { status, out, err } = await kvmimg(...args);
    expect(status).toBe(0);
    expect(out).not.toBe('');
    expect(err).toEqual(['']);
  });

  it('show the flags of the schema in both ways to ask for help', async () => {
    expect((await kvmimg('help', 'build')).out).toContain('--firmware <firmware>');
    expect((await kvmimg('build', '--help')).out).toContain('--set <path=value>');
  });
});
