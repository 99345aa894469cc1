import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { KvmimgError } from '../errors.ts';
import type { Sources } from '../guest/elements.ts';
import type { Plan } from '../plan/plan.ts';

/**
 * The contents of the user's `source` files, by the path that the recipe gives.
 *
 * @throws KvmimgError `source-changed` when one is not what was planned: its digest is part of the layer's name.
 */
export async function loadSources(plan: Plan): Promise<Sources> {
  const entries = plan.sources.map(async ({ source, path, sha256 }): Promise<[string, Uint8Array]> => {
    const content = await readFile(path);
    if (createHash('sha256').update(content).digest('hex') === sha256) return [source, content];
    throw new KvmimgError({
      code: 'source-changed',
      message: `${path} has changed since the build was planned.`,
      hint: 'Build again.',
    });
  });
  return new Map(await Promise.all(entries));
}
