import { readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openLayerStore } from '../../src/layer/store.ts';
import { type EndedBuild, type FakeSite, makeFakeSite, sha8 } from './fake-site.ts';

const timeoutMs = 180_000;

/** Whole builds with the fake QEMU: what of an earlier one is used again, counted by the guests that are started. */
describe('a build after a build', { timeout: timeoutMs }, () => {
  let site: FakeSite;
  beforeEach(async () => {
    site = await makeFakeSite();
  });
  afterEach(() => site.close());

  const scripts = (...texts: readonly string[]) => texts.map((run) => ({ scripts: [{ run }] }));
  const base = { formats: ['raw'], provision: scripts('echo one', 'echo two') };
  const build = async (
    settings: object,
    args: readonly string[] = ['--force'],
  ): Promise<EndedBuild & { readonly boots: number }> => {
    const subject = await site.writeRecipe('web', { ...base, ...settings });
    const before = (await site.machineStarts()).length;
    const ended = await site.build({ subject, scenario: 'builds', args }).ended;
    return { ...ended, boots: (await site.machineStarts()).length - before };
  };
  const journal = (): Promise<string[]> => site.journalOf(join(site.outDir, 'web.raw'));
  const plan = async (settings: object, args: readonly string[] = ['--force']): Promise<Record<string, string>> => {
    const subject = await site.writeRecipe('web', { ...base, ...settings });
    const { exitCode, printed, said } = await site.run([
      'plan',
      subject,
      '--json',
      '-o',
      site.outDir,
      ...site.flags,
      ...args,
    ]).ended;
    expect(exitCode, said).toBe(0);
    const { layers } = JSON.parse(printed) as {
      layers: readonly { readonly title: string; readonly state: string; readonly because: string }[];
    };
    return Object.fromEntries(
      layers.map(({ title, state, because }) => [title.replace(/ \(.*/, ''), state === 'cached' ? state : because]),
    );
  };

  it('of the same recipe starts no guest and writes nothing, with and without --force', async () => {
    const first = await build({}, []);
    expect(first.exitCode, first.said).toBe(0);
    expect(first.boots).toBe(3);
    expect(new Set(Object.values(await plan({}, [])))).toEqual(new Set(['cached']));
    const before = await stat(join(site.outDir, 'web.raw'));
    for (const args of [[], ['--force']]) {
      const again = await build({}, args);
      expect(again.exitCode, again.said).toBe(0);
      expect(again.printed).toBe(first.printed);
      expect(again.boots).toBe(0);
    }
    expect((await stat(join(site.outDir, 'web.raw'))).mtimeMs).toBe(before.mtimeMs);
  });

  it('with another last script starts one guest to run it, and one to verify', async () => {
    await build({});
    const changed = { provision: scripts('echo one', 'echo zwei') };
    expect(await plan(changed)).toEqual({
      install: 'cached',
      'provision[0]': 'cached',
      'provision[1]': expect.stringMatching(/^scripts\[0\] has changed: sha256 [0-9a-f]{12} -> sha256 [0-9a-f]{12}$/),
      seal: 'provision[1] (scripts echo zwei) runs',
      verify: 'provision[1] (scripts echo zwei) runs',
      'export raw': 'provision[1] (scripts echo zwei) runs',
    });
    const before = await journal();
    const again = await build(changed);
    expect(again.exitCode, again.said).toBe(0);
    expect(again.boots).toBe(2);
    expect(await journal()).toEqual([...before.slice(0, 2), `script ${sha8('echo zwei')}`, 'sealed']);
  });

  it('with another format starts no guest, and its manifest tells of both files', async () => {
    await build({}, []);
    const again = await build({ formats: ['qcow2'] }, []);
    expect(again.exitCode, again.said).toBe(0);
    expect(again.boots).toBe(0);
    const manifest = JSON.parse(await readFile(join(site.outDir, 'web.manifest.json'), 'utf8'));
    expect(manifest.files.map(({ file }: { readonly file: string }) => file).sort()).toEqual(['web.qcow2', 'web.raw']);
    const { kernel, initrd } = manifest.plan.media.lock;
    expect(manifest.media).toEqual(
      [kernel, initrd].map(({ member, sha256 }: Record<string, string>) => ({ file: member, sha256 })),
    );
  });

  it('with another answer to the installer runs it all again, and plan says so before', async () => {
    await build({});
    const states = await plan({ hostname: 'web' });
    expect(states.install).toBe('hostname has changed: localhost -> web');
    expect(states.seal).toBe('install runs');
    expect((await build({ hostname: 'web' })).boots).toBe(3);
  });

  it('says which file in the way is not its own', async () => {
    await build({}, []);
    const other = await build({ hostname: 'web' }, []);
    expect(other.exitCode).toBe(2);
    expect(other.said).toContain('web.raw: exists already');
    await writeFile(join(site.outDir, 'web.raw'), 'something else');
    const touched = await build({}, []);
    expect(touched.exitCode).toBe(2);
    expect(await readFile(join(site.outDir, 'web.raw'), 'utf8')).toBe('something else');
    const forced = await build({});
    expect([forced.exitCode, forced.boots]).toEqual([0, 0]);
    expect(await journal()).toContain('sealed');
  });

  it('makes again what --no-cache, --refresh, --from and the time limit name, and no more', async () => {
    const files = [{ path: '/etc/example', content: 'x\n' }];
    const settings = { provision: [{ files }, ...scripts('echo one')] };
    await build(settings);
    expect((await plan(settings, ['--force', '--no-cache'])).install).toBe('--no-cache was given');
    expect((await plan(settings, ['--force', '--refresh'])).install).toBe('--refresh was given');
    expect(await plan(settings, ['--force', '--from', 'seal'])).toMatchObject({
      'provision[1]': 'cached',
      seal: '--from seal was given',
    });
    expect((await plan({ ...settings, expires: '1ms' })).install).toMatch(/^it has read the mirror more than/);
    expect((await build(settings, ['--force', '--from', 'seal'])).boots).toBe(2);
    expect((await build(settings, ['--force', '--only', 'verify'])).boots).toBe(1);
    // Its own files may be replaced without being asked.
    expect((await build(settings, ['--refresh'])).boots).toBe(3);
    expect((await build(settings)).boots).toBe(0);
  });

  it('ends where --until says, gives the disk, and goes on from there', async () => {
    const installed = await build({}, ['--until', 'install']);
    expect(installed.exitCode, installed.said).toBe(0);
    expect(installed.boots).toBe(1);
    expect(installed.printed).toMatch(/\/layers\/[0-9a-f]{64}\/[0-9a-f-]{36}\/disk\.qcow2\n$/);
    expect((await build({}, ['--until', 'install'])).printed).toBe(installed.printed);
    expect((await build({}, ['--until', 'provision'])).boots).toBe(1);
    expect((await build({}, ['--only', 'seal'])).boots).toBe(1);
    expect((await build({}, [])).boots).toBe(1);
  });

  it('refuses --only where what it stands on is not there', async () => {
    const { exitCode, said, boots } = await build({}, ['--only', 'seal']);
    expect([exitCode, boots]).toEqual([2, 0]);
    expect(said).toContain('--only: install is not in the cache: no layer of it is in the cache');
    expect(await site.leftovers()).toEqual([]);
  });

  it('goes on after a failed step with that step', async () => {
    const subject = await site.writeRecipe('web', base);
    const commands = [{ match: 'echo two', code: 3, out: 'no\n' }];
    expect((await site.build({ subject, scenario: { like: 'builds', commands } }).ended).exitCode).toBe(1);
    expect(await plan({})).toMatchObject({
      'provision[0]': 'cached',
      'provision[1]': expect.stringContaining('no layer'),
    });
    const again = await build({});
    expect([again.exitCode, again.boots]).toEqual([0, 2]);
  });

  it.each([
    ['truncated', (disk: string) => writeFile(disk, 'x')],
    ['written to', (disk: string) => utimes(disk, 1, 1)],
  ])('does not use a layer whose disk was %s, and says so', async (_, damage) => {
    await build({});
    const store = openLayerStore(site.cacheDir, new AbortController().signal);
    const { layers } = await store.list();
    const step = layers.find(({ record }) => record.title.startsWith('provision[1]'));
    await rm(step?.diskPath ?? '');
    await writeFile(step?.diskPath ?? '', 'garbage');
    await damage(step?.diskPath ?? '');
    expect((await plan({}))['provision[1]']).toMatch(/^the layer in the cache is damaged: its disk\.qcow2/);
    const again = await build({});
    expect([again.exitCode, again.boots], again.said).toEqual([0, 2]);
    expect((await store.list()).damaged).toEqual([]);
  });

  it('of the same recipe at the same time installs once', async () => {
    const subject = await site.writeRecipe('web', base);
    const runs = ['a', 'b'].map((name) =>
      site.build({ subject, scenario: 'builds', args: ['-o', join(site.root, name)] }),
    );
    const ended = await Promise.all(runs.map((run) => run.ended));
    expect(ended.map(({ exitCode }) => exitCode)).toEqual([0, 0]);
    const starts = await site.machineStarts();
    expect(starts.filter(({ machine }) => machine === 'install')).toHaveLength(1);
    const journals = ['a', 'b'].map((name) => site.journalOf(join(site.root, name, 'web.raw')));
    const [one, other] = await Promise.all(journals);
    expect(one).toEqual(other);
    expect(await site.leftovers()).toEqual([]);
  });

  it('builds on another recipe: its users and steps come first, and its layers are used', async () => {
    await build({});
    const subject = await site.writeRecipe('child', {
      base: 'web.yaml',
      formats: ['raw'],
      provision: scripts('echo three'),
    });
    const before = (await site.machineStarts()).length;
    const { exitCode, said } = await site.build({ subject, scenario: 'builds' }).ended;
    expect(exitCode, said).toBe(0);
    expect((await site.machineStarts()).length - before).toBe(2);
    const marks = ['echo one', 'echo two', 'echo three'].map((text) => `script ${sha8(text)}`);
    const done = await site.journalOf(join(site.outDir, 'child.raw'));
    expect(done.slice(1)).toEqual([...marks, 'sealed']);
  });

  it('builds on a disk image without installing', async () => {
    await build({});
    const { exitCode, said, boots } = await build({
      base: join(site.outDir, 'web.raw'),
      name: 'onto',
      provision: scripts('echo three'),
    });
    expect(exitCode, said).toBe(0);
    expect(boots).toBe(3);
    expect((await site.machineStarts()).filter(({ machine }) => machine === 'install')).toHaveLength(1);
    const done = await site.journalOf(join(site.outDir, 'onto.raw'));
    expect(done.slice(-4)).toEqual([
      'sealed',
      expect.stringMatching('/etc/sudoers.d/kvmimg-build'),
      `script ${sha8('echo three')}`,
      'sealed',
    ]);
  });

  it('builds several images side by side: shared layers once, a failure leaves the others going', async () => {
    const subjects = await Promise.all([
      ...['a', 'b', 'c'].map((name) =>
        site.writeRecipe(name, { ...base, provision: scripts('echo one', `echo ${name}`) }),
      ),
      site.writeRecipe('m', { ...base, provision: [], matrix: { formats: [['raw'], ['qcow2']] } }),
    ]);
    const commands = [{ match: 'echo b', code: 3, out: 'no\n' }];
    const { exitCode, said, printed } = await site.build({ subject: subjects, scenario: { like: 'builds', commands } })
      .ended;
    expect(exitCode, said).toBe(1);
    expect(said).toMatch(/^b {2,}failed .*in provision/m);
    expect(said).toContain('5 images: 4 built, 1 failed');
    expect(printed.trim().split('\n')).toHaveLength(8);
    const starts = await site.machineStarts();
    expect(starts.filter(({ machine }) => machine === 'install')).toHaveLength(1);
    for (const name of ['a', 'c']) {
      const done = await site.journalOf(join(site.outDir, `${name}.raw`));
      expect(done.slice(1)).toEqual([`script ${sha8('echo one')}`, `script ${sha8(`echo ${name}`)}`, 'sealed']);
    }
  });

  it('ends the others at once with --fail-fast', async () => {
    const subjects = await Promise.all([
      site.writeRecipe('bad', { ...base, cpus: 1, provision: scripts('echo bad') }),
      site.writeRecipe('slow', { ...base, cpus: 1, provision: scripts('echo slow') }),
    ]);
    const commands = [
      { match: 'echo bad', code: 3, out: 'no\n' },
      { match: 'echo slow', never: true },
    ];
    const scenario = { like: 'builds', commands };
    const { exitCode, said } = await site.build({ subject: subjects, scenario, args: ['--fail-fast'] }).ended;
    expect(exitCode, said).toBe(1);
    expect(said).toContain('2 images: 1 failed, 1 cancelled');
    expect(await site.leftovers()).toEqual([]);
  });

  it('lets the user look into what is built so far, and changes nothing', async () => {
    await build({}, ['--until', 'provision']);
    const store = openLayerStore(site.cacheDir, new AbortController().signal);
    const before = (await store.list()).layers.map(({ record, sizeBytes }) => [record.id, sizeBytes]);
    const subject = await site.writeRecipe('web', base);
    const looked = await site.run(['shell', subject, '--', 'true']).ended;
    expect(looked.exitCode, looked.said).toBe(0);
    const after = (await store.list()).layers.map(({ record, sizeBytes }) => [record.id, sizeBytes]);
    expect(after).toEqual(before);
    expect(await site.leftovers()).toEqual([]);
  });

  it('keeps the machine of a failed step until Ctrl-C, and tells the failure then', async () => {
    const subject = await site.writeRecipe('web', base);
    const commands = [{ match: 'echo two', code: 3, out: 'no\n' }];
    const running = site.build({ subject, scenario: { like: 'builds', commands }, args: ['--keep-on-failure'] });
    await running.untilSaid('kvmimg shell');
    expect(running.child.exitCode).toBeNull();
    const id = /kvmimg shell ([0-9a-f]+)/.exec(running.said())?.[1] ?? '';
    const entered = await site.run(['shell', id, '--', 'true']).ended;
    expect(entered.exitCode, entered.said).toBe(0);
    running.child.kill('SIGINT');
    const { exitCode, said } = await running.ended;
    expect(exitCode, said).toBe(1);
    expect(said).toContain('failed in the guest with exit code 3');
    expect(await site.leftovers()).toEqual([]);
  });
});
