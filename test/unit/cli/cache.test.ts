import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { formatAge } from '../../../src/cli/layer-table.ts';
import { runCli } from '../../../src/cli/run-cli.ts';
import { type Layer, type NewLayer, openLayerStore } from '../../../src/layer/store.ts';

let cwd: string;
let cacheDir: string;
let install: Layer;
let jq: Layer;
let seal: Layer;

/** Ids and keys that a user can type the beginning of. */
const ids = { install: 'aaaa1111-0', jq: 'bbbb2222-0', seal: 'cccc3333-0' };

beforeEach(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'kvmimg-cache-command-'));
  cacheDir = join(cwd, 'cache');
  install = await commit({ key: '11aa', id: ids.install, phase: 'install', title: 'install' });
  const parentId = install.record.id;
  jq = await commit({ key: '22bb', id: ids.jq, title: 'provision[0] (packages jq)', parentId });
  seal = await commit({ key: '11cc', id: ids.seal, phase: 'seal', title: 'seal', parentId: jq.record.id });
  await rm(join(cacheDir, 'work'), { recursive: true });
});
afterEach(() => rm(cwd, { recursive: true }));

async function commit(changes: Partial<NewLayer> & Pick<NewLayer, 'key' | 'id'>): Promise<Layer> {
  const folder = join(cacheDir, 'work', 'maker', changes.id);
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'disk.qcow2'), 'a disk');
  const about = { phase: 'provision', title: '', recipe: 'web', distro: 'debian-13', seconds: 1 } as const;
  const store = openLayerStore(cacheDir, new AbortController().signal);
  return store.commit(folder, { ...about, inputs: {}, facts: {}, ...changes }, join(cacheDir, 'work', 'maker'));
}

async function kvmimg(...args: string[]) {
  const lines = { out: [] as string[], err: [] as string[] };
  const status = await runCli(args, {
    output: {
      print: (line) => lines.out.push(line),
      log: (text) => lines.err.push(...text.split('\n')),
      write: (text) => lines.err.push(...text.trimEnd().split('\n')),
      showLogIn: () => {},
      isTerminal: false,
    },
    env: { KVMIMG_CACHE_DIR: cacheDir },
    cwd,
  });
  return { status, ...lines };
}

describe('cache ls', () => {
  it('shows what stands on what, and the total', async () => {
    const { status, out } = await kvmimg('cache', 'ls');
    expect(status).toBe(0);
    expect(out.map((line) => line.replaceAll(/ {2,}/g, '  '))).toEqual([
      'LAYER  RECIPE (DISTRO)  SIZE  AGE  LAST USED  CHILDREN  STATE  ID',
      'install  web (debian-13)  4.0 KiB  now  now  1  cached  aaaa1111',
      '  provision[0] (packages jq)  web (debian-13)  4.0 KiB  now  now  1  cached  bbbb2222',
      '  seal  web (debian-13)  4.0 KiB  now  now  0  cached  cccc3333',
      '3 layers, 12.0 KiB',
    ]);
    expect(out[3]).toMatch(/^ {4}seal /);
  });

  it('tells what is in use, dead or damaged', async () => {
    const holder = join(cacheDir, 'work', 'holder', 'pins');
    await mkdir(holder, { recursive: true });
    await writeFile(join(holder, ids.seal), '');
    await commit({ key: '22bb', id: 'dddd4444-0', parentId: install.record.id });
    const listStates = async () => {
      const rows = z
        .array(z.object({ id: z.string(), state: z.string(), depth: z.number() }))
        .parse(JSON.parse((await kvmimg('cache', 'ls', '--json')).out.join('\n')));
      return rows.map(({ id, state, depth }) => [id, state, depth]);
    };
    expect(await listStates()).toEqual([
      [ids.install, 'in use', 0],
      [ids.jq, 'in use', 1],
      [ids.seal, 'in use', 2],
      ['dddd4444-0', 'in use', 1],
    ]);
    await rm(join(cacheDir, 'work'), { recursive: true });
    await writeFile(join(seal.folder, 'layer.json'), '{');
    expect(await listStates()).toEqual([
      [ids.install, 'cached', 0],
      [ids.jq, 'dead', 1],
      ['dddd4444-0', 'cached', 1],
      [ids.seal, 'damaged', 0],
    ]);
  });

  it('shows an empty cache', async () => {
    await rm(cacheDir, { recursive: true });
    expect(await kvmimg('cache', 'ls')).toEqual({ status: 0, out: ['0 layers, 0 B'], err: [] });
  });

  it.each([
    [-5_000, 'now'],
    [119 * 60_000, '119 min'],
    [47 * 3_600_000, '47 h'],
    [12 * 86_400_000, '12 d'],
  ])('tells an age of %d ms as %s', (ms, expected) => expect(formatAge(ms)).toBe(expected));
});

describe('cache prune', () => {
  const layerFolders = () => readdir(join(cacheDir, 'layers')).then((names) => names.sort());

  it('leaves what a build can use', async () => {
    expect(await kvmimg('cache', 'prune')).toEqual({ status: 0, out: [], err: ['removed nothing'] });
    expect(await layerFolders()).toEqual(['11aa', '11cc', '22bb']);
  });

  it('says what it would do, and then does it', async () => {
    const lines = [seal, jq].map(({ folder, record }) => `${folder}  ${record.title} of web, 4.0 KiB: `);
    const dry = await kvmimg('cache', 'prune', '--max-size', '5KiB', '--dry-run');
    expect(dry.err).toEqual(['would remove 2 layers, 8.0 KiB']);
    expect(dry.out.map((line) => line.replace(/: .*/, ': '))).toEqual(lines);
    expect(await layerFolders()).toEqual(['11aa', '11cc', '22bb']);
    const real = await kvmimg('cache', 'prune', '--max-size', '5KiB');
    expect(real).toEqual({ ...dry, err: ['removed 2 layers, 8.0 KiB'] });
    expect(await layerFolders()).toEqual(['11aa']);
  });

  it('goes by age', async () => {
    await utimes(seal.folder, 1, 1);
    const { out } = await kvmimg('cache', 'prune', '--older-than', '7d');
    expect(out).toEqual([`${seal.folder}  seal of web, 4.0 KiB: it was last used 1970-01-01`]);
  });

  it('leaves the downloads, whatever it removes', async () => {
    await mkdir(join(cacheDir, 'media'));
    expect((await kvmimg('cache', 'prune', '--all')).err).toEqual(['removed 3 layers, 12.0 KiB']);
    expect((await readdir(cacheDir)).sort()).toEqual(['layers', 'locks', 'media', 'work']);
  });

  it('tells both mistakes at once', async () => {
    expect(await kvmimg('cache', 'prune', '--max-size', 'big', '--older-than', 'last week')).toEqual({
      status: 2,
      out: [],
      err: [
        'error: --max-size: must be a size such as 20GiB, not "big"',
        'error: --older-than: must be a duration such as 7d or 12h, not "last week"',
      ],
    });
  });
});

describe('shell', () => {
  it.each([
    ['nothing-there.qcow2', 'nothing-there.qcow2: there is no such recipe, distro, layer, image file or kept machine'],
    ['debain-13', /: there is no such .*Did you mean debian-13\?$/],
    ['11', '11: there is no such recipe, distro, layer, image file or kept machine'],
    ['ffff0000', 'ffff0000: there is no such recipe, distro, layer, image file or kept machine'],
    ['gone.yaml', 'gone.yaml: there is no such file'],
    ['some.txt', 'some.txt: is not an image that can be booted: it is a text file'],
  ])('does not know how to enter %s', async (what, message) => {
    await writeFile(join(cwd, 'some.txt'), 'hello\n');
    const { status, out, err } = await kvmimg('shell', what, '--', 'id');
    expect([status, out]).toEqual([2, []]);
    expect(err[0]).toEqual(
      typeof message === 'string' ? expect.stringContaining(message) : expect.stringMatching(message),
    );
  });

  it('asks for more of an id that is that of several layers', async () => {
    await commit({ key: '33dd', id: 'bbbb9999-0', title: 'other', parentId: install.record.id });
    const { status, err } = await kvmimg('shell', 'bbbb');
    expect(status).toBe(2);
    expect(err).toEqual([
      'error: bbbb: is the beginning of several layers. Give more of one: bbbb2222-0 (provision[0] (packages jq) of web), bbbb9999-0 (other of web).',
    ]);
  });

  it('says what is wrong with a layer that cannot be booted', async () => {
    await writeFile(join(seal.folder, 'layer.json'), '');
    const damaged = await kvmimg('shell', 'cccc');
    expect(damaged.err[0]).toContain('cccc: this layer cannot be used: its layer.json is torn');
  });

  it('says how to get a layer where there is none', async () => {
    const { status, err } = await kvmimg('shell', 'debian-13');
    expect(status).toBe(1);
    expect(err.join('\n')).toContain('There is no layer of debian-13 in the cache.');
    expect(err.join('\n')).toContain('kvmimg build debian-13 --until install');
  });
});
