import { mkdir, stat } from 'node:fs/promises';
import { machineFactsOfBuild } from '../export/build-record.ts';
import { exportImages } from '../export/export-images.ts';
import { makeMachineFacts } from '../export/machine-facts.ts';
import type { Layer } from '../layer/store.ts';
import { withScope } from '../lifecycle/scope.ts';
import { type DeliveredFile, readDelivered } from '../plan/delivered.ts';
import { makeExportLayers } from '../plan/layer-keys.ts';
import type { PlannedLayer } from '../plan/plan.ts';
import type { BuildRun } from './build-run.ts';
import type { BuiltFile } from './manifest.ts';
import type { Tell } from './phase-clock.ts';

/** The exports of a build: the files that an earlier one has written and nobody has changed, and the others. */
export interface PendingExports {
  readonly present: readonly BuiltFile[];
  readonly missing: readonly PlannedLayer[];
}

/** Looks for the exports of a sealed layer in the output folder, whose manifest says what each file is. */
export async function findExports(run: BuildRun, sealed: Layer): Promise<PendingExports> {
  const { plan } = run;
  const known = makeExportLayers(plan, sealed.record.key);
  const current = (await readDelivered(plan.manifestPath)).filter((file) => {
    const layer = known.find((candidate) => candidate.key === file.layerKey);
    const { since } = layer ? run.freshnessOf(layer) : {};
    const isFresh = since === undefined || new Date(file.exportedAt) >= since;
    return layer && file.unchanged && file.sealId === sealed.record.id && isFresh;
  });
  const isPresent = (layer: PlannedLayer): boolean => current.some((file) => file.layerKey === layer.key);
  const planned = plan.layers.filter((layer) => layer.phase === 'export');
  // Files of other formats that belong to the same image stay in the manifest.
  return { present: current.map(toBuiltFile), missing: planned.filter((layer) => !isPresent(layer)) };
}

/** Writes the files that are missing, all or none. */
export async function writeExports(
  run: BuildRun,
  sealed: Layer,
  { missing }: PendingExports,
  tell: Tell,
): Promise<readonly BuiltFile[]> {
  const { plan, signal } = run;
  await mkdir(plan.outputDir, { recursive: true });
  const outputs = plan.outputs.filter(({ format }) => missing.some((layer) => layer.format === format));
  const files = await withScope(async (scope) => {
    await run.takeRoom(scope, tell);
    return exportImages(
      {
        source: { path: sealed.diskPath, format: 'qcow2' },
        outputs,
        facts: makeMachineFacts(machineFactsOfBuild({ plan })),
      },
      { signal, onProgress: (fraction, activity) => tell(activity, fraction) },
    );
  });
  for (const warning of files.flatMap((file) => file.warnings)) run.warn(warning);
  return Promise.all(
    files.map(async ({ format, path, sizeBytes, sha256 }) => ({
      ...{ format, path, sizeBytes, sha256 },
      modifiedAt: (await stat(path)).mtime.toISOString(),
      exportedAt: new Date().toISOString(),
      layerKey: missing.find((layer) => layer.format === format)?.key ?? '',
      sealId: sealed.record.id,
    })),
  );
}

function toBuiltFile({ unchanged: _, file: __, ...delivered }: DeliveredFile): BuiltFile {
  return delivered;
}
