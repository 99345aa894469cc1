import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type LoadedRecipe, loadRecipe, loadRecipes, type RecipeRequest } from '../../../src/recipe/load.ts';
import { exampleKey } from '../example-ssh-key.ts';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'kvmimg-recipe-'));
  await writeFile(join(dir, 'setup.sh'), 'echo hello\n');
});
afterAll(() => rm(dir, { recursive: true }));

async function load(text: string, request: Partial<RecipeRequest> = {}): Promise<LoadedRecipe> {
  await writeFile(join(dir, 'node.yaml'), text);
  return loadRecipe({ subject: 'node.yaml', cwd: dir, ...request });
}

/** `place: message hint`, one a problem. */
function lines(loaded: LoadedRecipe): string[] {
  return loaded.problems.map(({ place, message, hint }) => `${place}: ${message}${hint ? ` (${hint})` : ''}`);
}

describe('loadRecipe', () => {
  it('makes a whole recipe of a bare distro name', async () => {
    const { recipe, problems } = await loadRecipe({ subject: 'debian-13', cwd: dir });
    expect(problems).toEqual([]);
    expect(recipe).toMatchObject({
      name: 'debian-13',
      distro: 'debian-13',
      arch: 'amd64',
      firmware: 'bios',
      formats: ['qcow2'],
      provision: [],
    });
  });

  it('reads a file with anchors, merge keys, sizes and durations', async () => {
    const { recipe, problems, sources } = await load(`
distro: debian-13
name: web
disk: { size: 20GiB }
users:
  - &ops
    name: ops
    sshKeys: [${exampleKey}]
  - <<: *ops
    name: dev
provision:
  - packages: [jq]
    timeout: 90s
  - scripts: [{ source: setup.sh }]
`);
    expect(problems).toEqual([]);
    expect(recipe?.disk.size).toBe(20 * 2 ** 30);
    expect(recipe?.users.map((user) => user.name)).toEqual(['ops', 'dev']);
    expect(recipe?.provision.map((step) => step.timeout)).toEqual([90_000, 1_800_000]);
    expect(sources).toEqual([
      {
        source: 'setup.sh',
        path: join(dir, 'setup.sh'),
        sizeBytes: 11,
        sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
      },
    ]);
  });

  it('tells all problems at once, each with its place', async () => {
    const loaded = await load(
      [
        'distro: debian-13',
        'arch: x86',
        'disk:',
        '  sise: 20GiB',
        'hostname:',
        'users:',
        '  - name: ops',
        `    sshKeys: [${exampleKey}]`,
        '  - {name: ops, sshKeys: [rubbish]}',
        'provision:',
        '  - packages: [jq]',
        '    timeout: soon',
        '  - files:',
        '      - {path: /etc/motd, content: hi, mode: 0644}',
        '      - {path: /etc/motd, content: hi, source: x}',
        '  - scripts: [{source: gone.sh}]',
        '  - {}',
      ].join('\n'),
      { sets: ['cpus=many', 'memory'], flags: [{ path: ['formats'], value: ['ova', 'vdi'], place: '--format' }] },
    );
    expect(loaded.recipe).toBeUndefined();
    expect(lines(loaded)).toEqual([
      '--set memory: must be path=value (Such as --set disk.size=20GiB)',
      'node.yaml:2:7 arch: must be one of amd64, arm64, not "x86"',
      '--set cpus: must be a number, not "many"',
      'node.yaml:4:3 disk.sise: is not a setting (Did you mean disk.size?)',
      'node.yaml:5:10 hostname: has no value',
      'node.yaml:9:27 users[1].sshKeys[0]: must be an SSH public key, not "rubbish"',
      'node.yaml:12:14 provision[0].timeout: must be a duration such as 90s, 10m or 2h, not "soon"',
      'node.yaml:14:46 provision[1].files[0].mode: must be text, not 644 (Put it in quotes.)',
      'node.yaml:15:9 provision[1].files[1]: must have exactly one of content and source',
      'node.yaml:17:5 provision[3]: must have exactly one of packages, files, sysctls, services, scripts',
      '--format: must be one of qcow2, raw, vmdk, ova, not "vdi"',
      'node.yaml:9:12 users[1].name: "ops" is at users[0].name already',
      'node.yaml:15:16 provision[1].files[1].path: "/etc/motd" is at provision[1].files[0].path already',
      `node.yaml:15:48 provision[1].files[1].source: there is no file ${join(dir, 'x')}`,
      `node.yaml:16:24 provision[2].scripts[0].source: there is no file ${join(dir, 'gone.sh')}`,
    ]);
  });

  const files: readonly [string, string, readonly string[]][] = [
    ['an empty file', '', ['node.yaml: is empty (A recipe needs one line at least: distro: NAME)']],
    ['comments only', '# nothing\n', ['node.yaml: is empty (A recipe needs one line at least: distro: NAME)']],
    ['a list', '- a\n', ['node.yaml:1:1: must hold settings, one `name: value` a line']],
    ['a word', 'debian-13\n', ['node.yaml:1:1: must hold settings, one `name: value` a line']],
    ['a key given twice', 'distro: a\ndistro: b\n', ['node.yaml:2:1: this key is given twice']],
    ['two documents', 'distro: a\n---\ndistro: b\n', ['node.yaml:2:1: must hold one document, not several']],
    ['no distro', 'cpus: 2\n', ['node.yaml:1:1 distro: is required']],
    [
      'an unknown key',
      'distro: debian-13\nmemroy: 1\n',
      ['node.yaml:2:1 memroy: is not a setting (Did you mean memory?)'],
    ],
    [
      'a key that JavaScript knows',
      'distro: debian-13\n__proto__: {cpus: 3}\n',
      ['node.yaml:2:1 __proto__: is not a setting'],
    ],
  ];
  it.each(files)('finds the mistake in %s', async (_, text, expected) => {
    const loaded = await load(text);
    expect(loaded.recipe).toBeUndefined();
    expect(lines(loaded).map((line) => line.replace(/ \(Known: .*/, ''))).toEqual(expected);
  });

  it('says where text is not YAML', async () => {
    expect(lines(await load('distro: [a\n'))[0]).toMatch(/^node\.yaml:2:1: is not YAML: /);
  });

  it('refuses a file of aliases that would blow up', async () => {
    const levels = Array.from({ length: 9 }, (_, i) => `l${i + 1}: &l${i + 1} [${`*l${i}, `.repeat(9)}]`);
    expect(lines(await load(`l0: &l0 [x]\n${levels.join('\n')}\n`))[0]).toMatch(/^node\.yaml: cannot be read: /);
  });

  it('says that there is no such file', async () => {
    const loaded = await loadRecipe({ subject: './gone.yaml', cwd: dir });
    expect(lines(loaded)).toEqual(['./gone.yaml: there is no such file']);
  });

  it('knows the distro although the rest is wrong', async () => {
    expect((await load('distro: debain-13\ncpus: 0\n')).distroId).toBe('debain-13');
  });

  const values: readonly [string, string][] = [
    ['hostname', 'Web'],
    ['hostname', `${'a'.repeat(64)}`],
    ['hostname', '"a\\nb"'],
    ['locale', 'de_DE'],
    ['locale', '"C.UTF-8; reboot"'],
    ['timezone', 'Europe/Atlantis'],
    ['timezone', 'europe/berlin'],
    ['keyboard', 'us"'],
    ['packages', '["--force"]'],
    ['packages', '["a b"]'],
    ['kernelArguments', '["a b"]'],
    ['kernelArguments', "['a$b']"],
    ['kernelArguments', "['a\"b']"],
    ['kernelArguments', "['a;b']"],
    ['kernelArguments', "['a#b']"],
    ['kernelArguments', "['a\\b']"],
    ['kernelArguments', "['ä']"],
    ['kernelArguments', '["a\\nb"]'],
    ['mirror', 'ftp://example.org'],
    ['mirror', 'http://user:secret@example.org/debian'],
    ['mirror', 'http://example.org/debian?x=1'],
    ['mirror', '"http://example.org/\'$(reboot)\'"'],
    ['disk.size', '8GB8'],
    ['disk.size', '8000001'],
    ['disk.size', '3TiB'],
    ['disk.size', '-1'],
    ['memory', '0'],
    ['cpus', '1.5'],
    ['name', '../x'],
    ['users', `[{name: root, sshKeys: [${exampleKey}]}]`],
    ['users', '[{name: ops, sshKeys: []}]'],
    ['provision', '[{files: [{path: /etc/../x, content: a}]}]'],
    ['provision', '[{files: [{path: /etc/x/, content: a}]}]'],
    ['provision', '[{sysctls: {}}]'],
    ['provision', '[{sysctls: {vm.x: 1}}, {sysctls: {vm.x: 2}}]'],
    ['provision', '[{services: {}}]'],
    ['provision', '[{services: {enable: [a.service], mask: [a.service]}}]'],
    ['formats', '[]'],
    ['formats', '[raw, raw]'],
  ];
  it.each(values)('refuses --set %s=%s, with that place', async (path, value) => {
    const { recipe, problems } = await loadRecipe({ subject: 'debian-13', sets: [`${path}=${value}`], cwd: dir });
    expect(recipe).toBeUndefined();
    expect(problems).toHaveLength(1);
    expect(problems[0]?.place.startsWith(`--set ${path}`)).toBe(true);
  });

  it.each([
    ['disk={sise: 5GiB}', '--set disk.sise: is not a setting (Did you mean disk.size?)'],
    ['users=[{nam: x}]', '--set users[0].nam: is not a setting (Did you mean users[0].name?)'],
    ['network={address: 192.0.2.10/24, gateway: 192.0.2.1, dns: []}', '--set network.dns: is not a setting'],
    ['matrix={cpus: [1, many]}', '--set matrix.cpus[1]: must be a number, not "many"'],
    ['name=!foo bar', '--set name: is not YAML: Unresolved tag: !foo'],
    ['disk={size: 5GiB, size: 6GiB}', '--set disk: this key is given twice'],
    ['name=[a', '--set name: is not YAML: '],
    ['name=*gone', '--set name: is not YAML: '],
  ])('says where in --set %s the mistake is', async (set, expected) => {
    const loaded = await loadRecipes({ subject: 'debian-13', sets: [set], cwd: dir });
    expect(loaded.flatMap(lines).find((line) => line.startsWith(expected))).toBeDefined();
  });

  it('takes the last word of file, --set and flags', async () => {
    const { recipe } = await load('distro: debian-13\ncpus: 1\narch: amd64\n', {
      sets: ['cpus=2', 'cpus=3', 'arch=amd64', `users[0]={name: ops, sshKeys: [${exampleKey}]}`, 'users[0].sudo=false'],
      flags: [{ path: ['arch'], value: 'arm64', place: '--arch' }],
    });
    expect(recipe).toMatchObject({ cpus: 3, arch: 'arm64', firmware: 'uefi', users: [{ name: 'ops', sudo: false }] });
  });
});
