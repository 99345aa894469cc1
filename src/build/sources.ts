import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { KvmimgError } from '../errors.ts';
import type { Sources } from '../guest/elements.ts';
import type { DigestMemory } from '../media/digest-memory.ts';
import type { Plan, ProvisionPart } from '../plan/plan.ts';
import { digestFile } from '../recipe/sources.ts';

/**
 * The contents of the user's files and scripts that a part of provisioning takes, by the path that the recipe gives.
 *
 * @throws KvmimgError `source-changed` when one is not what was planned: its digest is part of the layer's name.
 */
export async function loadSources(plan: Plan, part: ProvisionPart): Promise<Sources> {
  const step = part.kind === 'step' ? plan.recipe.provision[part.index] : undefined;
  const named = [...(step?.files ?? []), ...(step?.scripts ?? [])].map(({ source }) => source);
  const loaded = new Map<string, Uint8Array>();
  for (const { source, path, sha256 } of plan.sources) {
    if (!named.includes(source)) continue;
    const content = await readFile(path);
    // Of the very bytes that the guest gets: a second read could see others.
    if (createHash('sha256').update(content).digest('hex') !== sha256) throw changed(path);
    loaded.set(source, content);
  }
  return loaded;
}

/** @throws KvmimgError `source-changed` */
export async function checkUnchanged(plan: Plan, path: string, memory?: DigestMemory): Promise<void> {
  const planned = plan.sources.find((source) => source.path === path)?.sha256;
  const read = memory === undefined ? await digestFile(path) : (await memory.read(path, 'sha256')).hex;
  if (read !== planned) throw changed(path);
}

function changed(path: string): KvmimgError {
  return new KvmimgError({
    code: 'source-changed',
    message: `${path} has changed since the build was planned.`,
    hint: 'Build again.',
  });
}
