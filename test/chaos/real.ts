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
const runsPerRecipe = 5;
/** About what an emulated boot and three steps take, until one was measured. */
const firstGuessMs = 90_000;
const limitMs = 30 * 60_000;

/**
 * Ten builds with the real QEMU, on the install layer of debian-13 that is in this cache: each is killed at a random
 * moment, some find a damaged layer, and then each is done again, ends well and has made what its recipe says.
 */
export async function chaosWithRealQemu(cacheDir: string): Promise<void> {
  const seed = chooseSeed();
  console.info(`CHAOS_SEED=${seed}, with the real QEMU`);
  const ends = await Promise.allSettled(
    recipeNames.map((name, index) => runRecipe({ cacheDir, name, random: makeRandom(seed + index) })),
  );
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
  for (const folder of ['work', 'locks']) expect(await readdir(join(cacheDir, folder))).toEqual([]);
  const { stdout } = await run('ps', ['-eo', 'args']);
  expect(stdout.split('\n').filter((line) => line.includes('qemu') && line.includes(cacheDir))).toEqual([]);
}

interface RecipeRuns {
  readonly cacheDir: string;
  readonly name: string;
  readonly random: Random;
}

async function runRecipe({ cacheDir, name, random }: RecipeRuns): Promise<void> {
  const texts = ['zero', 'one', 'two'];
  let usualMs = firstGuessMs;
  for (let round = 0; round < runsPerRecipe; round++) {
    texts[random.below(3)] = `${name} ${round}`;
    const recipe = await writeRecipe(cacheDir, name, texts);
    const story = [`${name}, run ${round}: ${texts.join(', ')}`];
    try {
      story.push(await hurtOne(startBuild(cacheDir, recipe), random, usualMs));
      if (random.chance(0.4)) story.push(await damageStep(cacheDir, name, random));
      const again = startBuild(cacheDir, recipe);
      const { exitCode, printed, seconds } = await withLimit(again);
      story.push(`undisturbed: exit code ${exitCode} after ${Math.round(seconds)} s\n${again.said()}`);
      expect(exitCode, 'exit code of the undisturbed build').toBe(0);
      usualMs = Math.max(seconds * 1000, 10_000);
      expect(await readFromLayer(printed.trim(), [...paths])).toEqual(texts);
      console.info(story.map((line) => line.split('\n')[0]).join('; '));
    } catch (error) {
      throw new Error(`${story.join('\n')}\n\n${error instanceof Error ? error.message : error}`, { cause: error });
    }
  }
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

async function hurtOne(build: RealBuild, random: Random, usualMs: number): Promise<string> {
  const hurt: Hurt = random.pick(['kill kvmimg', 'kill QEMU', 'kill both', 'SIGINT']);
  const delayMs = Math.round(random.fraction() * usualMs);
  const isOver = await Promise.race([build.ended.then(() => true), pause(delayMs, false)]);
  if (!isOver) await hurtNow(build, { hurt });
  const { exitCode } = await withLimit(build);
  const last = build.said().trimEnd().split('\n').at(-1);
  const words = `${hurt} after ${delayMs} ms${isOver ? ', when it was over' : ''}: exit code ${exitCode}`;
  if (build.said().includes('bug of kvmimg')) throw new Error(`${words}\n${build.said()}`);
  return `${words}, at ${last}\n${build.said()}`;
}

/** Hurts a layer of a provision step of this recipe, on which the next build would stand. */
async function damageStep(cacheDir: string, name: string, random: Random): Promise<string> {
  const { layers } = await openLayerStore(cacheDir, new AbortController().signal).list();
  const own = layers.filter(({ record }) => record.recipe === name && record.phase === 'provision');
  if (own.length === 0) return 'no layer to damage';
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
