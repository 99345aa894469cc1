import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type EndedBuild, type FakeSite, makeFakeSite } from './fake-site.ts';

let site: FakeSite;
beforeEach(async () => {
  site = await makeFakeSite();
});
afterEach(() => site.close());

const scripts = (...texts: readonly string[]) => texts.map((run) => ({ scripts: [{ run }] }));

describe('standard error with --log-format json', () => {
  /** Every line of it, parsed. */
  const linesOf = ({ said }: EndedBuild): Record<string, unknown>[] =>
    said
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
  const build = async (subject: string | readonly string[], scenario: string | object = 'builds') =>
    site.build({ subject, scenario, args: ['--log-format', 'json', '--force'] }).ended;
  const failing = { like: 'builds', commands: [{ match: 'bad', code: 3, err: 'no such thing\n' }] };

  it('of a build that goes well ends with its outcome', async () => {
    const subject = await site.writeRecipe('web', { formats: ['raw'] });
    const built = linesOf(await build(subject));
    expect(built.at(-1)).toEqual({
      ...{ elapsedSeconds: expect.any(Number), type: 'build-finished', outcome: 'built', seconds: expect.any(Number) },
    });
    const types = new Set(built.map(({ type }) => type));
    expect([...types].sort()).toEqual([
      ...['build-finished', 'build-started', 'log', 'phase-finished', 'phase-progress', 'phase-started'],
    ]);
    expect(linesOf(await build(subject)).at(-1)).toMatchObject({ type: 'build-finished', outcome: 'cached' });
  });

  it('of a build that fails ends with the outcome and the error, each in one line', async () => {
    const ended = await build(await site.writeRecipe('web', { provision: scripts('bad') }), failing);
    expect(ended.exitCode).toBe(1);
    const failure = {
      ...{ code: expect.any(String), message: expect.stringContaining('exit code 3') },
      hint: expect.any(String),
      evidence: expect.arrayContaining([expect.objectContaining({ lines: ['no such thing'] })]),
    };
    expect(linesOf(ended).slice(-2)).toMatchObject([
      { type: 'build-finished', outcome: 'failed', ...failure },
      { type: 'error', exitStatus: 1, ...failure },
    ]);
  });

  it('of one that is interrupted says so', async () => {
    const subject = await site.writeRecipe('web', { provision: scripts('endless') });
    const scenario = { like: 'builds', commands: [{ match: 'endless', never: true }] };
    const running = site.build({ subject, scenario, args: ['--log-format', 'json'] });
    await running.untilSaid('"provision"');
    running.child.kill('SIGINT');
    const lines = linesOf(await running.ended);
    expect(lines).toContainEqual(expect.objectContaining({ type: 'log', message: expect.stringMatching(/^SIGINT/) }));
    expect(lines.slice(-2)).toMatchObject([
      { type: 'build-finished', outcome: 'cancelled', code: 'interrupted' },
      { type: 'error', exitStatus: 130, code: 'interrupted' },
    ]);
  });

  it('of several builds has an outcome each and no text', async () => {
    const good = await site.writeRecipe('good', { formats: ['raw'] });
    const bad = await site.writeRecipe('bad', { formats: ['raw'], provision: scripts('bad') });
    const ended = await build([good, bad], failing);
    expect(ended.exitCode).toBe(1);
    const ends = linesOf(ended).filter(({ type }) => type === 'build-finished');
    expect(ends).toHaveLength(2);
    expect(ends).toContainEqual(expect.objectContaining({ build: 'good', outcome: 'built' }));
    expect(ends).toContainEqual(
      expect.objectContaining({ build: 'bad', outcome: 'failed', message: expect.stringContaining('exit code 3') }),
    );
  });

  it('of a build that cannot begin is one line', async () => {
    await mkdir(site.outDir);
    await writeFile(join(site.outDir, 'web.raw'), 'mine');
    const subject = await site.writeRecipe('web', { formats: ['raw'] });
    const ended = await site.build({ subject, scenario: 'builds', args: ['--log-format', 'json'] }).ended;
    expect(ended.exitCode).toBe(2);
    expect(linesOf(ended)).toMatchObject([{ type: 'error', exitStatus: 2, problems: [{ message: 'exists already' }] }]);
  });
});

describe('the seconds of earlier builds', () => {
  const kept = async (): Promise<Record<string, Record<string, number>>> =>
    JSON.parse(await readFile(join(site.cacheDir, 'timings.json'), 'utf8'));
  const build = async (texts: readonly string[], args: readonly string[], scenario: string | object = 'builds') => {
    const subject = await site.writeRecipe('web', { formats: ['raw'], provision: scripts(...texts) });
    return site.build({ subject, scenario, args: ['--force', ...args] }).ended;
  };

  it('are kept of each whole phase, by --until and before a failure too', async () => {
    const failing = { like: 'builds', commands: [{ match: 'bad', code: 3 }] };
    expect((await build(['bad'], ['--until', 'install'])).exitCode).toBe(0);
    expect(Object.keys(await kept())).toEqual(['media', 'install']);
    expect((await build(['bad'], ['--no-cache'], failing)).exitCode).toBe(1);
    expect(Object.keys(await kept())).toEqual(['media', 'install']);
    expect((await build(['good'], [])).exitCode).toBe(0);
    expect(Object.keys(await kept())).toEqual(['media', 'install', 'provision', 'seal', 'verify', 'export']);
  });

  it('stay when a build does a part of a phase', async () => {
    await build(['one', 'two'], []);
    const before = await kept();
    const again = await build(['one', 'zwei'], []);
    expect(again.exitCode, again.said).toBe(0);
    const after = await kept();
    expect([after.install, after.provision]).toEqual([before.install, before.provision]);
    expect(again.said).toMatch(/provision: Provision over SSH$/m);
    expect(again.said).toMatch(/seal: Seal the image \(about /);
  });
});
