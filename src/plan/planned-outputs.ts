import { join } from 'node:path';
import type { Recipe } from '../recipe/schema.ts';
import type { LayerPhase, PhaseChoice, PlannedOutput } from './plan.ts';

/** The last phase that runs. */
export function lastPhase({ until, only }: PhaseChoice): LayerPhase {
  return only ?? until ?? 'export';
}

/** The files that a build of a recipe writes. */
export function planOutputs(
  recipe: Pick<Recipe, 'name' | 'formats'>,
  { outputDir, phases }: { readonly outputDir: string; readonly phases: PhaseChoice },
): { readonly outputs: readonly PlannedOutput[]; readonly manifestPath: string } {
  const written = lastPhase(phases) === 'export' ? recipe.formats : [];
  return {
    outputs: written.map((format) => ({ format, path: join(outputDir, `${recipe.name}.${format}`) })),
    manifestPath: join(outputDir, `${recipe.name}.manifest.json`),
  };
}
