import { mkdir } from 'node:fs/promises';
import { messageOf } from '../errors.ts';
import { machineFactsOfBuild } from '../export/build-record.ts';
import { exportImages } from '../export/export-images.ts';
import { makeMachineFacts } from '../export/machine-facts.ts';
import { openLayerStore } from '../layer/store.ts';
import { withScope } from '../lifecycle/scope.ts';
import type { Plan } from '../plan/plan.ts';
import { type Progress, phaseNames } from '../progress/events.ts';
import { type ObtainedLayer, obtainLayer } from './build-layers.ts';
import { type BuildRun, startBuildRun } from './build-run.ts';
import { install } from './install-phase.ts';
import { type BuiltFile, makeManifest, sealFactsSchema, type UsedLayer, writeWhole } from './manifest.ts';
import { makePhaseClock } from './phase-clock.ts';
import { provisionAndSeal } from './seal-phase.ts';
import { loadTimings } from './timings.ts';
import { verifySealed } from './verify-phase.ts';

export interface BuildOptions {
  readonly signal: AbortSignal;
  readonly progress: Progress;
}

export interface BuildResult {
  readonly files: readonly BuiltFile[];
  readonly manifestPath: string;
}

/**
 * Builds an image as its plan says: install, provision and seal, verify, export, manifest. Layers that an earlier build
 * has left are used and those that this one makes are kept; everything else is gone when it ends.
 *
 * @throws KvmimgError of whatever stopped it.
 */
export async function buildImage(plan: Plan, options: BuildOptions): Promise<BuildResult> {
  const warn = (message: string): void => options.progress({ type: 'log', level: 'warning', message });
  return withScope(
    async (scope) => {
      options.progress({ type: 'build-started', name: plan.name, phases: phaseNames });
      const run = await startBuildRun(plan, { ...options, scope, warn });
      try {
        return await buildAndExport(run, options.progress);
      } catch (error) {
        if (plan.keepOnFailure) {
          const kept = `The work folder is kept; remove it when you have looked into it: ${run.workDir}`;
          await run.keepWorkDir().then(
            () => warn(kept),
            () => warn('The work folder could not be kept.'),
          );
        }
        throw error;
      }
    },
    (error) => warn(`Not everything could be cleaned up: ${String(error)}`),
  );
}

async function buildAndExport(run: BuildRun, progress: Progress): Promise<BuildResult> {
  const { plan } = run;
  const store = openLayerStore(plan.cacheDir);
  const timings = await loadTimings(plan.cacheDir, plan.distro.id, run.decision.accel);
  const clock = makePhaseClock(progress, timings);

  const installed = await obtainLayer(run, store, {
    key: plan.layerKeys.install,
    phase: 'install',
    make: () => install(run, clock),
  });
  const sealed = await obtainLayer(run, store, {
    key: plan.layerKeys.seal,
    phase: 'seal',
    parent: installed.layer,
    make: () => provisionAndSeal(run, installed.layer, clock),
  });
  await clock.run('verify', 'Boot the sealed image', (tell) => verifySealed(run, sealed.layer, tell));
  const files = await clock.run('export', 'Write the files', (tell) => exportSealed(run, sealed.layer.diskPath, tell));

  const manifest = makeManifest(
    plan,
    files,
    {
      kvmimgVersion: run.kvmimgVersion,
      qemuVersion: run.qemuVersion,
      accel: { kind: run.decision.accel, reason: run.decision.reason },
      seconds: clock.seconds(),
      layers: { install: usedLayer(installed), seal: usedLayer(sealed) },
      packages: sealFactsSchema.parse(sealed.layer.record.facts).packages,
      mirror: run.services.mirrorStats(),
      fetchedBytes: run.access.http.receivedBytes(),
    },
    new Date(),
  );
  await writeWhole(plan.manifestPath, `${JSON.stringify(manifest, null, 2)}\n`);
  await timings.record(clock.seconds()).catch((error) => run.warn(`The times could not be kept: ${messageOf(error)}`));
  return { files, manifestPath: plan.manifestPath };
}

function usedLayer({ layer, reused }: ObtainedLayer): UsedLayer {
  const { key, createdAt, seconds } = layer.record;
  return { key, createdAt, seconds, reused };
}

async function exportSealed(run: BuildRun, diskPath: string, tell: (activity: string, fraction: number) => void) {
  const { plan, signal } = run;
  await mkdir(plan.outputDir, { recursive: true });
  const files = await exportImages(
    {
      source: { path: diskPath, format: 'qcow2' },
      outputs: plan.outputs,
      facts: makeMachineFacts(machineFactsOfBuild({ plan })),
    },
    { signal, onProgress: (fraction, activity) => tell(activity, fraction) },
  );
  for (const warning of files.flatMap((file) => file.warnings)) run.warn(warning);
  return files;
}
