import { readFile } from 'node:fs/promises';
import { KvmimgError } from '../errors.ts';
import type { Sources } from '../guest/elements.ts';
import type { DigestMemory } from '../media/digest-memory.ts';
import type { Plan } from '../plan/plan.ts';
import { digestFile } from '../recipe/sources.ts';

/**
 * The contents of the user's files and scripts, by the path that the recipe gives.
 *
 * @throws KvmimgError `source-changed` when one is not what was planned: its digest is part of the layer's name.
 */
export async function loadSources(plan: Plan): Promise<Sources> {
  // Of images the digest alone is of interest here, and they may be larger than memory.
  const { base, installer } = plan.recipe;
  const files = plan.sources.filter(({ source }) => source !== base && source !== installer.iso);
  await Promise.all(files.map(({ path }) => checkUnchanged(plan, path)));
  return new Map(await Promise.all(files.map(async ({ source, path }) => [source, await readFile(path)] as const)));
}

/** @throws KvmimgError `source-changed` */
export async function checkUnchanged(plan: Plan, path: string, memory?: DigestMemory): Promise<void> {
  const planned = plan.sources.find((source) => source.path === path)?.sha256;
  const read = memory === undefined ? await digestFile(path) : (await memory.read(path, 'sha256')).hex;
  if (read === planned) return;
  throw new KvmimgError({
    code: 'source-changed',
    message: `${path} has changed since the build was planned.`,
    hint: 'Build again.',
  });
}
