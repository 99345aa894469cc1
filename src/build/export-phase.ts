import { existsSync } from 'node:fs';
import { mkdir, stat } from 'node:fs/promises';
import { InputError } from '../errors.ts';
import { machineFactsOfBuild } from '../export/build-record.ts';
import { exportImages, type StagedFile } from '../export/export-images.ts';
import { makeMachineFacts } from '../export/machine-facts.ts';
import type { Layer } from '../layer/store.ts';
import { withScope } from '../lifecycle/scope.ts';
import { type DeliveredFile, readDelivered } from '../plan/delivered.ts';
import { findOwnFiles } from '../plan/layer-keys.ts';
import type { Plan, PlannedLayer } from '../plan/plan.ts';
import type { BuildRun } from './build-run.ts';
import { type BuiltFile, sealFactsSchema } from './manifest.ts';
import type { Tell } from './phase-clock.ts';

/** The exports of a build: the files that an earlier one has written and nobody has changed, and the others. */
export interface PendingExports {
  readonly present: readonly BuiltFile[];
  readonly missing: readonly PlannedLayer[];
}

/** Looks for the exports of a sealed layer in the output folder, whose manifest says what each file is. */
export async function findExports(run: BuildRun, sealed: Layer): Promise<PendingExports> {
  const { plan } = run;
  const delivered = (await readDelivered(plan.manifestPath)) ?? [];
  const own = findOwnFiles(plan, sealed.record.key, delivered);
  const current = own.filter((file) => file.sealId === sealed.record.id);
  const planned = plan.layers.filter((layer) => layer.phase === 'export');
  const missing = planned.filter((layer) => {
    const { since } = run.freshnessOf(layer);
    const file = current.find((candidate) => candidate.layerKey === layer.key);
    return file === undefined || (since !== undefined && new Date(file.exportedAt) < since);
  });
  checkWay(plan, missing, own);
  const isMissing = (file: DeliveredFile): boolean => missing.some((layer) => layer.key === file.layerKey);
  // Files of other formats that belong to the same image stay in the manifest.
  return { present: current.filter((file) => !isMissing(file)).map(toBuiltFile), missing };
}

/** Something may have come into the way since the plan was made. @throws InputError */
function checkWay(plan: Plan, missing: readonly PlannedLayer[], own: readonly DeliveredFile[]): void {
  const inTheWay = plan.outputs.filter(
    ({ format, path }) =>
      missing.some((layer) => layer.format === format) && existsSync(path) && !own.some((file) => file.path === path),
  );
  if (plan.force || inTheWay.length === 0) return;
  const hint = 'Use --force to replace it.';
  throw new InputError(inTheWay.map(({ path }) => ({ place: path, message: 'exists already', hint })));
}

/**
 * Writes the files that are missing, all or none. `describe` writes the manifest when they are whole and not yet in
 * place: whatever ends the build then, what is in place is what the manifest says.
 */
export async function writeExports(
  run: BuildRun,
  { sealed, missing, present }: PendingExports & { readonly sealed: Layer },
  { tell, describe }: { readonly tell: Tell; readonly describe: (files: readonly BuiltFile[]) => Promise<void> },
): Promise<void> {
  const { plan, signal } = run;
  const { packages } = sealFactsSchema.parse(sealed.record.facts);
  await mkdir(plan.outputDir, { recursive: true });
  const outputs = plan.outputs.filter(({ format }) => missing.some((layer) => layer.format === format));
  const toEntry = async ({ format, path, partialPath, sizeBytes, sha256 }: StagedFile): Promise<BuiltFile> => ({
    ...{ format, path, sizeBytes, sha256 },
    // A rename does not change it.
    modifiedAt: (await stat(partialPath)).mtime.toISOString(),
    exportedAt: new Date().toISOString(),
    layerKey: missing.find((layer) => layer.format === format)?.key ?? '',
    sealId: sealed.record.id,
  });
  const files = await withScope(async (scope) => {
    await run.takeRoom(scope, tell);
    return exportImages(
      {
        source: { path: sealed.diskPath, format: 'qcow2' },
        outputs,
        facts: makeMachineFacts(machineFactsOfBuild({ plan, packages, kvmimgVersion: run.kvmimgVersion })),
      },
      {
        signal,
        onProgress: (fraction, activity) => tell(activity, fraction),
        onStaged: async (staged) => describe([...present, ...(await Promise.all(staged.map(toEntry)))]),
      },
    );
  });
  for (const warning of files.flatMap((file) => file.warnings)) run.warn(warning);
}

function toBuiltFile({ unchanged: _, file: __, ...delivered }: DeliveredFile): BuiltFile {
  return delivered;
}
