import { spawn } from 'node:child_process';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { stringify } from 'yaml';
import { openLayerStore } from '../../src/layer/store.ts';
import { run } from '../../src/process/run.ts';
import { repository } from '../install/watched-run.ts';
import { tear } from './damage.ts';
import { type Hurt, hurtNow } from './hurt.ts';
import { pause } from './moment.ts';
import { chooseSeed, makeRandom, type Random } from './random.ts';
import { readFromLayer } from './real-disk.ts';

/** Each has a machine of its own beside the other's. */
const recipeNames = ['chaos-a', 'chaos-b'] as const;
const killsPerRecipe = 5;
/** About what an emulated boot and three steps take, until one was measured. */
const firstGuessMs = 90_000;
/** One that finds all of its layers ends sooner. */
const cachedSeconds = 5;
/** Of that time builds are hurt within so much; of so much of it after each that was over too soon. */
const [shareOfUsual, sharePerMiss] = [0.85, 0.7];
/** So many that are over too soon are chance; they are done again from their layers, and cost half of one that was hurt. */
const missLimit = 5;
const limitMs = 30 * 60_000;

/** What really happened to the builds. */
export interface RealChaos {
  readonly kills: number;
  readonly damages: number;
}

/**
 * Ten builds with the real QEMU, on the install layer of debian-13 that is in this cache: each is killed at a random
 * moment, some find a damaged layer, at least one of each recipe, and then each is done again, ends well and has made what
 * its recipe says. What is over before its moment comes is checked, too, and not counted.
 */
export async function chaosWithRealQemu(cacheDir: string): Promise<RealChaos> {
  const seed = chooseSeed();
  console.info(`CHAOS_SEED=${seed}, with the real QEMU`);
  const ends = await Promise.allSettled(
    recipeNames.map((name, index) => runRecipe({ cacheDir, name, random: makeRandom(seed + index) })),
  );
  const done = ends.map((end) => {
    if (end.status === 'rejected') throw end.reason;
    return end.value;
  });
  for (const folder of ['work', 'locks']) expect(await readdir(join(cacheDir, folder))).toEqual([]);
  const { stdout } = await run('ps', ['-eo', 'args']);
  expect(stdout.split('\n').filter((line) => line.includes('qemu') && line.includes(cacheDir))).toEqual([]);
  const sumOf = (count: keyof RealChaos): number => done.reduce((sum, each) => sum + each[count], 0);
  return { kills: sumOf('kills'), damages: sumOf('damages') };
}

interface RecipeRuns {
  readonly cacheDir: string;
  readonly name: string;
  readonly random: Random;
}

/** Builds until enough were hurt. */
async function runRecipe({ cacheDir, name, random }: RecipeRuns): Promise<RealChaos> {
  const texts = ['zero', 'one', 'two'];
  let [usualMs, kills, damages] = [firstGuessMs, 0, 0];
  for (let round = 0; kills < killsPerRecipe; round++) {
    const misses = round - kills;
    const withinMs = usualMs * shareOfUsual * sharePerMiss ** misses;
    if (misses > missLimit) throw new Error(`Of ${round} builds only ${kills} could be hurt before they were over.`);
    texts[random.below(3)] = `${name} ${round}`;
    const mustDamage = kills === killsPerRecipe - 1 && damages === 0;
    const story = [`${name}, run ${round}: ${texts.join(', ')}`];
    try {
      const done = await runOnce({ cacheDir, name, random, texts, withinMs, mustDamage, story });
      usualMs = done.usualMs ?? usualMs;
      if (done.isHurt) kills++;
      if (done.isDamaged) damages++;
      console.info(story.map((line) => line.split('\n')[0]).join('; '));
    } catch (error) {
      throw new Error(`${story.join('\n')}\n\n${error instanceof Error ? error.message : error}`, { cause: error });
    }
  }
  return { kills, damages };
}

interface Round extends RecipeRuns {
  readonly texts: readonly string[];
  /** The first build is hurt before it is so old. */
  readonly withinMs: number;
  readonly mustDamage: boolean;
  /** What was done, for the report of a failure. */
  readonly story: string[];
}

interface EndedRound {
  readonly isHurt: boolean;
  readonly isDamaged: boolean;
  /** How long a build takes that has something to do; undefined where none was seen. */
  readonly usualMs: number | undefined;
}

async function runOnce({ cacheDir, name, random, texts, withinMs, mustDamage, story }: Round): Promise<EndedRound> {
  const recipe = await writeRecipe(cacheDir, name, texts);
  const first = await hurtOne(startBuild(cacheDir, recipe), random, withinMs);
  story.push(first.story);
  const isToDamage = random.chance(0.4) || mustDamage;
  const damage = isToDamage ? await damageStep(cacheDir, name, random) : undefined;
  if (isToDamage) story.push(damage ?? 'no layer to damage');
  const again = startBuild(cacheDir, recipe);
  const { exitCode, printed, seconds } = await withLimit(again);
  story.push(`undisturbed: exit code ${exitCode} after ${Math.round(seconds)} s\n${again.said()}`);
  expect(exitCode, 'exit code of the undisturbed build').toBe(0);
  expect(await readFromLayer(printed.trim(), [...paths])).toEqual(texts);
  const whole = first.isHurt ? seconds : first.seconds;
  const usualMs = whole < cachedSeconds ? undefined : whole * 1000;
  return { isHurt: first.isHurt, isDamaged: damage !== undefined, usualMs };
}

const paths = ['/etc/chaos-zero', '/etc/chaos-one', '/etc/chaos-two'] as const;

async function writeRecipe(cacheDir: string, name: string, [zero, one, two]: readonly string[]): Promise<string> {
  const provision = [
    { files: [{ path: paths[0], content: `${zero}\n` }] },
    { scripts: [{ name: 'one', run: `echo '${one}' >${paths[1]}` }] },
    { scripts: [{ name: 'two', run: `echo '${two}' >${paths[2]}` }] },
  ];
  const folder = join(cacheDir, 'chaos');
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, `${name}.yaml`), stringify({ name, distro: 'debian-13', provision }));
  return join(folder, `${name}.yaml`);
}

interface HurtOne {
  readonly story: string;
  readonly isHurt: boolean;
  readonly seconds: number;
}

async function hurtOne(build: RealBuild, random: Random, withinMs: number): Promise<HurtOne> {
  const hurt: Hurt = random.pick(['kill kvmimg', 'kill QEMU', 'kill both', 'SIGINT']);
  const delayMs = Math.round(random.fraction() * withinMs);
  const isOver = await Promise.race([build.ended.then(() => true), pause(delayMs, false)]);
  if (!isOver) await hurtNow(build, { hurt });
  const { exitCode, seconds } = await withLimit(build);
  const last = build.said().trimEnd().split('\n').at(-1);
  const words = `${hurt} after ${delayMs} ms${isOver ? ', when it was over' : ''}: exit code ${exitCode}`;
  if (build.said().includes('bug of kvmimg')) throw new Error(`${words}\n${build.said()}`);
  if (isOver && exitCode !== 0) throw new Error(`${words}, and nobody had hurt it\n${build.said()}`);
  // One that has ended well was done when its moment came.
  return { story: `${words}, at ${last}\n${build.said()}`, isHurt: exitCode !== 0, seconds };
}

/** Tears a layer of a provision step of this recipe, on which the next build may stand; undefined where there is none. */
async function damageStep(cacheDir: string, name: string, random: Random): Promise<string | undefined> {
  const { layers } = await openLayerStore(cacheDir, new AbortController().signal).list();
  const own = layers.filter(({ record }) => record.recipe === name && record.phase === 'provision');
  if (own.length === 0) return undefined;
  return `torn: ${await tear(join(random.pick(own).folder, random.pick(['layer.json', 'disk.qcow2'])), random)}`;
}

interface EndedRealBuild {
  readonly exitCode: number | null;
  /** Standard output: the path of the disk. */
  readonly printed: string;
  readonly seconds: number;
}

type RealBuild = ReturnType<typeof startBuild>;

function startBuild(cacheDir: string, recipe: string) {
  const startMs = performance.now();
  const args = ['dist/main.js', 'build', recipe, '--until', 'provision', '--force', '--log-format', 'plain'];
  const child = spawn('node', args, {
    cwd: repository,
    env: { ...process.env, KVMIMG_CACHE_DIR: cacheDir },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [said, printed] = ['', ''];
  child.stdout.on('data', (piece) => {
    printed += piece;
  });
  child.stderr.on('data', (piece) => {
    said += piece;
  });
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve)).then((exitCode): EndedRealBuild => {
    return { exitCode, printed, seconds: (performance.now() - startMs) / 1000 };
  });
  return { child, ended, said: () => said };
}

async function withLimit(build: RealBuild): Promise<EndedRealBuild> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`A build has not ended in ${limitMs} ms:\n${build.said()}`)), limitMs);
  });
  return Promise.race([build.ended, late]).finally(() => clearTimeout(timer));
}
