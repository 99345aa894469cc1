import { randomUUID } from 'node:crypto';
import { withFileLock } from '../host/file-lock.ts';
import type { Layer, LayerRecord } from '../layer/store.ts';
import type { PlannedLayer } from '../plan/plan.ts';
import type { BuildRun } from './build-run.ts';

/** What a phase has made: a folder that becomes the layer, and facts about it for the manifest. */
export interface LayerProduct {
  readonly folder: string;
  readonly facts: LayerRecord['facts'];
  readonly seconds: number;
}

interface LayerRequest {
  readonly planned: PlannedLayer;
  /** The layer that this one is an overlay of. */
  readonly parent?: Layer;
  /** Called when another makes the same layer, before it is waited for: nothing that others need may be held then. */
  readonly onWait?: () => Promise<void>;
  /** Makes the layer; `id` is what it will be called. */
  readonly make: (id: string) => Promise<LayerProduct>;
}

export interface ObtainedLayer {
  readonly layer: Layer;
  /** An earlier build, or one that runs beside this one, had made it. */
  readonly reused: boolean;
}

/** A planned layer: the one in the store, or made now. Of two builds one makes it and the other waits. */
export async function obtainLayer(run: BuildRun, request: LayerRequest): Promise<ObtainedLayer> {
  const { planned, parent, make } = request;
  const { store } = run;
  const { since } = run.freshnessOf(planned);
  const parentId = parent ? { parentId: parent.record.id } : {};
  const query = { key: planned.key, ...parentId, ...(since ? { since } : {}) };
  const reuse = async (): Promise<ObtainedLayer | undefined> => {
    const layer = await store.use(query, run.workDir);
    if (layer) run.tellInfo(`${planned.title}: using the layer ${planned.key.slice(0, 12)} of an earlier build`);
    return layer && { layer, reused: true };
  };
  const found = await reuse();
  if (found) return found;
  let letGo: Promise<void> | undefined;
  const onWait = (holder: string): void => {
    run.tellInfo(`${planned.title}: waiting for ${holder}, which makes the same layer`);
    letGo ??= request.onWait?.();
  };
  return withFileLock(store.lockPath(planned.key), { signal: run.signal, onWait }, async () => {
    await letGo;
    const made = await reuse();
    if (made) return made;
    const id = randomUUID();
    const { folder, facts, seconds } = await make(id);
    const { key, phase, title, inputs } = planned;
    if (phase === 'export') throw new Error('An export is kept in the output folder, not in the store.');
    const about = { recipe: run.plan.name, distro: run.plan.distro.id, ...parentId };
    return {
      layer: await store.commit(folder, { key, id, phase, title, inputs, facts, seconds, ...about }, run.workDir),
      reused: false,
    };
  });
}
