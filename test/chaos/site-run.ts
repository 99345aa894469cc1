import { createHash } from 'node:crypto';
import { readdir, readFile, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { openLayerStore } from '../../src/layer/store.ts';
import type { FakeSite, RunningBuild } from '../fake/fake-site.ts';
import { type HurtPhase, isHurt } from './build-phase.ts';
import { damageSomething } from './damage.ts';
import { chooseHurt, hurtBuild, untilEnded } from './hurt.ts';
import { chooseMoment, isInstant, makePace, type Pace, phaseSaidTimes, type UsualTimes } from './moment.ts';
import type { Random } from './random.ts';
import type { FillableDisk } from './small-disk.ts';
import { changeVariant, firstVariant, journalAfterInstall, type Variant, writeVariant } from './variant.ts';

const outputs = ['web.raw', 'web.qcow2', 'web.manifest.json'];
const cacheNames = ['accel.json', 'layers', 'locks', 'media', 'mirror', 'reports', 'timings.json', 'work'];
/** Between two prunings; a cache on a small disk has no room for the layers of a hundred builds. */
const runsBetweenPrunes = 10;

export interface SiteRuns {
  readonly site: FakeSite;
  readonly random: Random;
  /** That are hurt; what is over before its moment comes is checked, too, and not counted. */
  readonly runs: number;
  /** Of the cache, where it can be filled. */
  readonly disk?: FillableDisk | undefined;
}

/**
 * A sequence of builds at one site, each hurt and then done again undisturbed.
 * @returns What phase each was hurt in; more than `runs`, for some were over too soon.
 */
export async function runChaos({ site, random, runs, disk }: SiteRuns): Promise<readonly HurtPhase[]> {
  const usual = await measureUsual(site);
  const [installed = ''] = await site.journalOf(join(site.outDir, 'web.raw'));
  const phases: HurtPhase[] = [];
  let [variant, pace, hurt] = [firstVariant, makePace(), 0];
  for (let run = 0; hurt < runs; run++) {
    if (run > 2 * runs) throw new Error(`Of ${run} builds only ${hurt} could be hurt before they were over.`);
    variant = changeVariant(variant, random, run);
    const story: string[] = [`run ${run} of ${variant.texts.join(', ')} to ${variant.formats.join(', ')}`];
    try {
      const phase = await runOnce({ site, random, variant, run, disk, usual, pace, story });
      phases.push(phase);
      pace = pace.next(phase === 'over');
      if (isHurt(phase)) hurt++;
      await checkResult(site, [installed, ...journalAfterInstall(variant)], variant);
    } catch (error) {
      throw new Error(`${story.join('\n')}\n\n${error instanceof Error ? error.message : String(error)}`, {
        cause: error,
      });
    }
  }
  return phases;
}

interface Run {
  readonly site: FakeSite;
  readonly random: Random;
  readonly variant: Variant;
  readonly run: number;
  /** Of the cache, where it can be filled. */
  readonly disk?: FillableDisk | undefined;
  readonly usual: UsualTimes;
  readonly pace: Pace;
  /** What was done, for the report of a failure. */
  readonly story: string[];
}

async function runOnce({ site, random, variant, run, disk, usual, pace, story }: Run): Promise<HurtPhase> {
  const subject = await writeVariant(site, variant);
  const damageAt = random.weighted({ never: 60, before: 20, between: 20 });
  const isAnew = random.chance(0.12);
  const moment = chooseMoment(random, run, usual, pace, isAnew ? 'install' : 'provision');
  const hurt = isInstant(moment) ? 'kill kvmimg' : chooseHurt(random, disk !== undefined);
  const args = ['--force', ...(isAnew || moment.phase === 'install' ? ['--no-cache'] : [])];
  const slackBytes = random.below(2 ** 19);
  if (run % runsBetweenPrunes === 0) await untilEnded(site.run(['cache', 'prune', '--max-size', '8MiB']));
  if (damageAt === 'before') story.push(await damageSomething(site, random));
  story.push(`${hurt}, ${Math.round(moment.delayMs)} ms after ${moment.phase}, ${args.join(' ')}, slack ${slackBytes}`);
  const start = (): RunningBuild => site.build({ subject, scenario: 'builds', args });
  const hurtDone = await hurtBuild(site, { hurt, moment, start, slackBytes, ...(disk ? { disk } : {}) });
  story.push(...hurtDone.story);
  if (!hurtDone.mayLeave && damageAt !== 'before') expect(await leftovers(site), 'left by a hurt build').toEqual([]);
  if (damageAt === 'between') story.push(await damageSomething(site, random));
  const again = await untilEnded(site.build({ subject, scenario: 'builds', args: ['--force'] }));
  story.push(`undisturbed: exit code ${again.exitCode}\n${again.said}`);
  if (await ageNameless(site)) await untilEnded(site.run(['cache', 'prune']));
  expect(again.exitCode, 'exit code of the undisturbed build').toBe(0);
  return hurtDone.phase;
}

/** The image is what the recipe says, all that it stands on is whole, and nothing else lies about. */
async function checkResult(site: FakeSite, journal: readonly string[], { formats }: Variant): Promise<void> {
  expect(await site.journalOf(join(site.outDir, 'web.raw'))).toEqual(journal);
  const manifest = JSON.parse(await readFile(join(site.outDir, 'web.manifest.json'), 'utf8')) as Manifest;
  expect(manifest.files.map(({ format }) => format)).toEqual(expect.arrayContaining([...formats]));
  for (const { file, sizeBytes, sha256 } of manifest.files) {
    const content = await readFile(join(site.outDir, file));
    expect([content.length, createHash('sha256').update(content).digest('hex')]).toEqual([sizeBytes, sha256]);
  }
  const { layers } = await openLayerStore(site.cacheDir, new AbortController().signal).list();
  const good = layers.map(({ record }) => record.id);
  expect(good).toEqual(expect.arrayContaining(manifest.layers.map(({ id }) => id)));
  expect(await leftovers(site), 'left by the undisturbed build').toEqual([]);
}

interface Manifest {
  readonly files: readonly {
    readonly format: string;
    readonly file: string;
    readonly sizeBytes: number;
    readonly sha256: string;
  }[];
  readonly layers: readonly { readonly id: string }[];
}

async function leftovers(site: FakeSite): Promise<string[]> {
  const strangers = (await readdir(site.cacheDir)).filter((name) => !cacheNames.includes(name));
  return [...strangers, ...(await site.leftovers(outputs))];
}

/**
 * What was killed in the millisecond in which it wrote down whose it is belongs to nobody, and is left alone for a minute
 * (see file-lock.ts and work-dirs.ts): makes it older than that.
 */
async function ageNameless(site: FakeSite): Promise<boolean> {
  const nameless = (await leftovers(site)).filter((path) => /\/work\/\w+\.new$|\/locks\/.*\.draft$/.test(path));
  const before = Date.now() / 1000 - 61;
  for (const path of nameless) await utimes(path, before, before);
  return nameless.length > 0;
}

/** An undisturbed build, from the install on. */
async function measureUsual(site: FakeSite): Promise<UsualTimes> {
  const subject = await writeVariant(site, firstVariant);
  const build = site.build({ subject, scenario: 'builds', args: ['--force'] });
  const times = phaseSaidTimes(build);
  const { exitCode, said } = await untilEnded(build);
  expect(exitCode, said).toBe(0);
  return times();
}
