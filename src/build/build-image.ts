import { createHash } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { messageOf } from '../errors.ts';
import { withFileLock } from '../host/file-lock.ts';
import { sweepLeftovers } from '../host/sweep.ts';
import { type Layer, openLayerStore } from '../layer/store.ts';
import { withScope } from '../lifecycle/scope.ts';
import type { Plan } from '../plan/plan.ts';
import { findWarnings } from '../plan/warnings.ts';
import { type Progress, phaseNames } from '../progress/events.ts';
import { buildChain } from './build-chain.ts';
import { type ObtainedLayer, obtainLayer } from './build-layers.ts';
import { type BuildRun, startBuildRun } from './build-run.ts';
import { checkStates, explainLayers, type LayerState } from './explain-layers.ts';
import { findExports, writeExports } from './export-phase.ts';
import type { HostPool } from './host-pool.ts';
import {
  type BuildFacts,
  type BuiltFile,
  installFactsSchema,
  makeManifest,
  sealFactsSchema,
  type UsedLayer,
  writeWhole,
} from './manifest.ts';
import { makePhaseClock, type PhaseClock } from './phase-clock.ts';
import { loadTimings } from './timings.ts';
import { verifySealed } from './verify-phase.ts';

export interface BuildOptions {
  readonly signal: AbortSignal;
  readonly progress: Progress;
  /** Cores and memory that several builds share; without it a build takes what it needs. */
  readonly pool?: HostPool;
}

export interface BuildResult {
  /** The files of the image that are there now, of this build or an earlier one. */
  readonly files: readonly string[];
  /** Titles of what an earlier build had left. */
  readonly reused: readonly string[];
  /** There was nothing to do. */
  readonly cached: boolean;
}

/**
 * Builds an image as its plan says: install, provision, seal, verify, export, manifest. What an earlier build has left is
 * used and what this one makes is kept; everything else is gone when it ends.
 *
 * @throws KvmimgError of whatever stopped it; InputError when what the plan says cannot be.
 */
export async function buildImage(plan: Plan, options: BuildOptions): Promise<BuildResult> {
  const { signal, progress } = options;
  const warn = (message: string): void => progress({ type: 'log', level: 'warning', message });
  const startedAt = new Date();
  const store = openLayerStore(plan.cacheDir, signal);
  const states = await explainLayers(plan, store, startedAt);
  checkStates(plan, states);
  progress({ type: 'build-started', name: plan.name, phases: phaseNames });
  for (const warning of findWarnings(plan)) warn(warning);
  const { removed } = await sweepLeftovers(plan.cacheDir);
  if (removed.length > 0) {
    tellInfo(progress, `removed what ${removed.length} earlier builds had left when they were killed`);
  }
  if (states.every(({ state }) => state === 'cached')) {
    tellInfo(progress, 'everything is there already, of an earlier build');
    await Promise.all(states.map(({ layer }) => layer && store.touch(layer)));
    const reused = states.map(({ planned }) => planned.title);
    return { files: filesOfCached(plan, states), reused, cached: true };
  }
  const firstToRun = states.find(({ state }) => state === 'will-run');
  if (firstToRun) tellInfo(progress, `${firstToRun.planned.title} will run, because ${firstToRun.because}`);
  return withScope(
    async (scope) => {
      const run = await startBuildRun(plan, { ...options, scope, warn, store, startedAt });
      return buildAndExport(run, progress);
    },
    (error) => warn(`Not everything could be cleaned up: ${String(error)}`),
  );
}

function tellInfo(progress: Progress, message: string): void {
  progress({ type: 'log', level: 'info', message });
}

/** The files, or the last disk of a build that writes none. */
function filesOfCached(plan: Plan, states: readonly LayerState[]): readonly string[] {
  const files = states.flatMap(({ delivered }) => (delivered ? [delivered.path] : []));
  if (files.length > 0) return [...files, plan.manifestPath];
  const disk = states.findLast(({ layer }) => layer?.record.disk)?.layer;
  return disk ? [disk.diskPath] : [];
}

async function buildAndExport(run: BuildRun, progress: Progress): Promise<BuildResult> {
  const { plan, decision, workDir } = run;
  const timings = await loadTimings({ plan, accel: decision.accel, workDir });
  const clock = makePhaseClock(progress, timings);
  try {
    return await runPhases(run, clock);
  } finally {
    // Of a build that fails, what came before is worth knowing for the next one.
    await clock.record().catch((error) => run.warn(`The times could not be kept: ${messageOf(error)}`));
  }
}

async function runPhases(run: BuildRun, clock: PhaseClock): Promise<BuildResult> {
  const { plan } = run;
  const chain = await buildChain(run, clock);
  const last = chain.at(-1)?.layer;
  const result = { reused: chain.filter(({ reused }) => reused).map(({ layer }) => layer.record.title), cached: false };
  if (last?.record.phase !== 'seal') {
    clock.finish();
    return { ...result, files: last ? [last.diskPath] : [] };
  }
  const verified = await verifyOnce(run, last, clock);
  const files = plan.outputs.length > 0 ? await exportOnce(run, { chain, verified, sealed: last }, clock) : [];
  clock.finish();
  return { ...result, files };
}

/** Boots the sealed image and checks it, unless that was done; the layer without a disk says that it was. */
async function verifyOnce(run: BuildRun, sealed: Layer, clock: PhaseClock): Promise<ObtainedLayer | undefined> {
  const planned = run.plan.layers.find((layer) => layer.phase === 'verify');
  if (planned === undefined) return undefined;
  return obtainLayer(run, {
    planned,
    parent: sealed,
    make: async () => {
      await clock.run('verify', 'Boot the sealed image', (tell) => verifySealed(run, sealed, tell));
      const folder = join(run.workDir, run.nextName('verified'));
      await mkdir(folder, { mode: 0o700 });
      return { folder, facts: {}, seconds: clock.seconds().verify ?? 0 };
    },
  });
}

interface Finished {
  readonly chain: readonly ObtainedLayer[];
  readonly verified: ObtainedLayer | undefined;
  readonly sealed: Layer;
}

async function exportOnce(run: BuildRun, { chain, verified, sealed }: Finished, clock: PhaseClock): Promise<string[]> {
  const { plan } = run;
  const onWait = (holder: string): void => run.tellInfo(`waiting for ${holder}, which writes the same files`);
  return withFileLock(outputLockPath(plan), { signal: run.signal, onWait }, async () => {
    const exports = await findExports(run, sealed);
    const makeFacts = (): BuildFacts => ({
      kvmimgVersion: run.kvmimgVersion,
      qemuVersion: run.qemuVersion,
      accel: { kind: run.decision.accel, reason: run.decision.reason },
      seconds: clock.seconds(),
      boots: run.bootCount(),
      layers: [...chain, ...(verified ? [verified] : [])].map(usedLayer),
      media: installFactsSchema.parse(
        chain.find(({ layer }) => layer.record.phase === 'install')?.layer.record.facts ?? {},
      ).media,
      packages: sealFactsSchema.parse(sealed.record.facts).packages,
      mirror: run.services.mirrorStats(),
      fetchedBytes: run.access.http.receivedBytes(),
    });
    const describe = (files: readonly BuiltFile[]): Promise<void> => {
      const manifest = makeManifest(plan, files, makeFacts(), new Date());
      return writeWhole(plan.manifestPath, `${JSON.stringify(manifest, null, 2)}\n`);
    };
    if (exports.missing.length < plan.outputs.length) clock.reuse('export');
    if (exports.missing.length === 0) await describe(exports.present);
    else {
      await clock.run('export', 'Write the files', (tell) =>
        writeExports(run, { sealed, ...exports }, { tell, describe }),
      );
    }
    return [...plan.outputs.map((output) => output.path), plan.manifestPath];
  });
}

/** Of two builds of one image one writes its files, whose names while they are written are the same, and the other waits. */
function outputLockPath({ cacheDir, manifestPath }: Plan): string {
  const digest = createHash('sha256').update(resolve(manifestPath)).digest('hex');
  return join(cacheDir, 'locks', `output-${digest.slice(0, 16)}.lock`);
}

function usedLayer({ layer, reused }: ObtainedLayer): UsedLayer {
  const { title, key, id, createdAt, seconds } = layer.record;
  return { title, key, id, createdAt, seconds, reused };
}
