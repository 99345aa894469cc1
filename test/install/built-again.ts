import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { thisHost } from '../../src/host/facts.ts';
import { findQemuSystem } from '../../src/host/programs.ts';
import { type CountingQemu, makeCountingQemu } from './counting-qemu.ts';
import { extensions, type Finished, readManifest, repository, runWatched } from './watched-run.ts';

interface PlannedState {
  readonly title: string;
  readonly state: 'cached' | 'will-run';
  readonly because: string;
}

/** What is asked of builds after README's first command, whose cache and outcome these are. */
export function testBuiltAgain(site: { readonly cacheDir: () => string }): void {
  describe('built again', () => {
    const recipe = join(repository, 'fixtures/recipes/every-element.yaml');
    const allFormats = ['--format', extensions.join(','), '--force'];
    let guests: CountingQemu;
    let full: Finished;
    let text = '';

    const kvmimg = async (
      words: readonly string[],
      subject: string,
    ): Promise<Finished & { readonly boots: number }> => {
      const [command = '', ...flags] = words;
      const args = ['dist/main.js', command, subject, ...flags];
      const ended = await runWatched('node', args, site.cacheDir(), guests.env);
      return { ...ended, boots: await guests.takeCount() };
    };
    const build = (subject: string, ...flags: readonly string[]) =>
      kvmimg(['build', '-o', join(site.cacheDir(), 'out'), '--log-format', 'plain', ...flags], subject);
    const plan = async (subject: string, ...flags: readonly string[]): Promise<readonly PlannedState[]> => {
      const { stdout } = await kvmimg(
        ['plan', '--json', '--force', '-o', join(site.cacheDir(), 'out'), ...flags],
        subject,
      );
      return JSON.parse(stdout).layers;
    };
    const changedRecipe = async (from: string, to: string): Promise<string> => {
      const path = join(site.cacheDir(), 'changed.yaml');
      await cp(join(repository, 'fixtures/recipes/hello.sh'), join(site.cacheDir(), 'hello.sh'));
      expect(text).toContain(from);
      await writeFile(path, text.replace(from, to));
      return path;
    };
    beforeAll(async () => {
      guests = await makeCountingQemu(join(site.cacheDir(), 'qemu'), (await findQemuSystem('amd64', thisHost)) ?? '');
      text = await readFile(recipe, 'utf8');
    });

    it('runs no guest for the same again, in under 2 s, and plan says that all is cached', async () => {
      const { stdout } = await kvmimg(['plan', '--json', ...allFormats], 'debian-13');
      const states: readonly PlannedState[] = JSON.parse(stdout).layers;
      expect(states.filter(({ state }) => state !== 'cached')).toEqual([]);
      const again = await kvmimg(['build', '--log-format', 'plain', ...allFormats], 'debian-13');
      expect([again.exitCode, again.boots]).toEqual([0, 0]);
      expect(again.seconds).toBeLessThan(2);
      expect(again.stdout.trim().split('\n')).toEqual(
        [...extensions, 'manifest.json'].map((extension) => join(repository, 'out', `debian-13.${extension}`)),
      );
    });

    it('says before that another answer to the installer runs it all, and names it', async () => {
      const states = await plan('debian-13', '--set', 'hostname=other');
      expect(states[0]).toMatchObject({ state: 'will-run', because: 'hostname has changed: localhost -> other' });
      expect(states.filter(({ state }) => state === 'cached')).toEqual([]);
    });

    it('applies and verifies every kind of element on the install that is there', async () => {
      full = await build(recipe);
      expect(full.exitCode).toBe(0);
      expect(full.stdout.trim().split('\n')).toEqual(
        ['qcow2', 'manifest.json'].map((extension) => join(site.cacheDir(), 'out', `every-element.${extension}`)),
      );
      const { layers, seconds, boots } = await readManifest(join(site.cacheDir(), 'out/every-element.manifest.json'));
      expect(layers[0]).toMatchObject({ title: 'install', reused: true });
      expect(seconds).toMatchObject({ provision: expect.any(Number), verify: expect.any(Number) });
      expect(seconds.install).toBeUndefined();
      expect(boots).toBe(2);
    });

    it('adds a format without a guest', async () => {
      const added = await build(recipe, '--format', 'raw');
      expect([added.exitCode, added.boots]).toEqual([0, 0]);
      console.info(`raw added: ${(added.seconds / full.seconds).toFixed(3)} of the whole`);
    });

    it('runs a changed last script, and what follows, in one boot and verifies in another', async () => {
      const changed = await changedRecipe('/usr/local/bin/hello >', 'echo changed >');
      const states = await plan(changed);
      const willRun = states.filter(({ state }) => state === 'will-run').map(({ title }) => title.replace(/ .*/, ''));
      expect(willRun).toEqual(['provision[4]', 'groups', 'seal', 'verify', 'export']);
      expect(states.find(({ title }) => title.startsWith('provision[4]'))?.because).toMatch(
        /^scripts\[0\] has changed/,
      );
      const again = await build(changed, '--force');
      expect([again.exitCode, again.boots]).toEqual([0, 2]);
      console.info(`last script changed: ${(again.seconds / full.seconds).toFixed(3)} of the whole`);
    });

    it('fetches no package again when provisioning is run again, and needs no network for it', async () => {
      const flags = ['--offline', '--from', 'provision', '--until', 'provision'];
      const again = await build(recipe, ...flags);
      expect([again.exitCode, again.boots]).toEqual([0, 1]);
    });
  });
}
