import { once } from 'node:events';
import { mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compileSources } from '../../fixtures/compile.ts';
import { chooseRemovals } from '../../src/layer/prune.ts';
import { openLayerStore } from '../../src/layer/store.ts';
import { importLine, readLine, startChild } from '../unit/host/child-program.ts';

let compiled: string;
let cacheDir: string;

beforeAll(async () => {
  [compiled, cacheDir] = await Promise.all([
    compileSources('cache-store'),
    mkdtemp(join(tmpdir(), 'kvmimg-cache-store-')),
  ]);
}, 60_000);
afterAll(() => Promise.all([compiled, cacheDir].map((path) => rm(path, { recursive: true, force: true }))));

const runMs = 5_000;
const startFile = (): string => join(compiled, 'start');

const imports = (): string => `
  import { randomInt, randomUUID } from 'node:crypto';
  import { existsSync } from 'node:fs';
  import { mkdir, readFile, writeFile } from 'node:fs/promises';
  import { setTimeout as sleep } from 'node:timers/promises';
  ${importLine('withFileLock', join(compiled, 'host/file-lock.js'))}
  ${importLine('makeWorkDir, sweepWorkDirs', join(compiled, 'host/work-dirs.js'))}
  ${importLine('chooseRemovals', join(compiled, 'layer/prune.js'))}
  ${importLine('openLayerStore', join(compiled, 'layer/store.js'))}
  ${importLine('withScope', join(compiled, 'lifecycle/scope.js'))}
  ${importLine('waitUntil', join(compiled, 'wait/wait-until.js'))}
  const [, cacheDir, startFile] = process.argv;
  const { signal } = new AbortController();
  const store = openLayerStore(cacheDir, signal);
  console.log('ready');
  // All begin at the same time, however long the last one takes to start.
  const endMs = await waitUntil({
    ...{ subject: 'the start', limitMs: 30_000, intervalMs: 20, signal },
    check: async () => Number(await readFile(startFile, 'utf8').catch(() => '')) || undefined,
  });`;

/**
 * As a build does: goes up a tree of layers by a way of its own, takes or makes each, and looks after each step whether
 * all are whole. Then, as \`kvmimg shell\` does, it holds the last alone, and looks whether what that stands on is.
 */
const startBuilder = () =>
  startChild(
    `${imports()}
    const counts = { made: 0, used: 0 };
    const check = async (chain, when) => {
      for (const { diskPath, record } of chain) {
        const text = await readFile(diskPath, 'utf8').catch((error) => error.code);
        if (text !== record.key + ' ' + record.id) throw new Error(when + ': the disk of ' + record.key + ' is ' + text);
      }
    };
    const about = { phase: 'provision', title: 't', recipe: 'r', distro: 'd', seconds: 0, inputs: {}, facts: {} };
    const obtain = async (key, parentId, holder) => {
      const query = { key, ...(parentId ? { parentId } : {}) };
      const found = await store.use(query, holder);
      if (found) return found;
      return withFileLock(store.lockPath(key), { signal, intervalMs: 10 }, async () => {
        const other = await store.use(query, holder);
        if (other) return other;
        const id = randomUUID();
        const folder = holder + '/layer-' + id;
        await mkdir(folder);
        await writeFile(folder + '/disk.qcow2', key + ' ' + id);
        await sleep(randomInt(20));
        counts.made += 1;
        return store.commit(folder, { ...about, ...query, id }, holder);
      });
    };
    // However slow the machine is, each goes at least three ways.
    for (let round = 0; round < 3 || Date.now() < endMs; round++) {
      await withScope(async (scope) => {
        const chain = [];
        await withScope(async (buildScope) => {
          const { path: holder } = await makeWorkDir({ root: cacheDir, scope: buildScope });
          let key = 'k';
          for (let depth = 0; depth < 4; depth++) {
            key += depth === 0 ? '' : randomInt(3);
            chain.push(await obtain(key, chain.at(-1)?.record.id, holder));
            counts.used += 1;
            await check(chain, 'while building');
          }
          const { path: other } = await makeWorkDir({ root: cacheDir, scope });
          const { key: lastKey, id, parentId } = chain.at(-1).record;
          if (!(await store.use({ key: lastKey, id, parentId }, other))) throw new Error('a held layer is not found');
        });
        await sleep(randomInt(50));
        await check(chain, 'by its tip');
      });
      await sleep(randomInt(200));
    }
    console.log(JSON.stringify(counts));`,
    [cacheDir, startFile()],
  );

/** As \`kvmimg cache prune\` does, with every rule in turn. */
const startPruner = () =>
  startChild(
    `${imports()}
    const counts = { gone: 0 };
    for (let round = 0; !existsSync(startFile + '.over'); round++) {
      await sweepWorkDirs(cacheDir);
      const rule = [{ all: true }, {}, { maxSizeBytes: 8192 }, { usedBefore: new Date(Date.now() - 100) }][round % 4];
      const gone = await store.remove((contents) => chooseRemovals(contents, rule).map(({ folder }) => folder));
      counts.gone += gone.length;
      await sleep(randomInt(100));
    }
    console.log(JSON.stringify(counts));`,
    [cacheDir, startFile()],
  );

interface Ended {
  readonly exitCode: unknown;
  readonly counts: { readonly made?: number; readonly used?: number; readonly gone?: number };
}

async function runToEnd(child: ReturnType<typeof startChild>): Promise<Ended> {
  let said = '';
  child.stdout?.on('data', (piece: Buffer) => {
    said += piece.toString();
  });
  const [exitCode] = await once(child, 'close');
  return { exitCode, counts: said === '' ? {} : JSON.parse(said) };
}

describe('twenty processes on one store', () => {
  it('make, use and prune layers, and nothing that is used goes, nothing hangs, nothing is left', async () => {
    const builders = Array.from({ length: 16 }, startBuilder);
    const pruners = Array.from({ length: 4 }, startPruner);
    const children = [...builders, ...pruners];
    await Promise.all(children.map(readLine));
    const [building, pruning] = [builders.map(runToEnd), pruners.map(runToEnd)];
    await writeFile(`${startFile()}.new`, String(Date.now() + runMs));
    await rename(`${startFile()}.new`, startFile());
    await Promise.all(building);
    await writeFile(`${startFile()}.over`, '');
    const ended = await Promise.all([...building, ...pruning]);
    expect(ended.map(({ exitCode }) => exitCode)).toEqual(ended.map(() => 0));
    const sum = (name: 'made' | 'used' | 'gone'): number =>
      ended.reduce((total, { counts }) => total + (counts[name] ?? 0), 0);
    // It was a race: layers were made again after a prune, and used by others than who made them.
    expect(sum('gone')).toBeGreaterThan(10);
    expect(sum('made')).toBeGreaterThan(20);
    expect(sum('used')).toBeGreaterThan(sum('made'));

    const store = openLayerStore(cacheDir, new AbortController().signal);
    const { layers, damaged } = await store.list();
    expect(damaged).toEqual([]);
    expect(layers.filter((layer) => layer.inUse || layer.dead)).toEqual([]);
    await store.remove((contents) => chooseRemovals(contents, { all: true }).map(({ folder }) => folder));
    for (const folder of ['layers', 'locks', 'work']) expect(await readdir(join(cacheDir, folder))).toEqual([]);
  }, 120_000);
});
