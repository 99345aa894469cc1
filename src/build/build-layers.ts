import { withFileLock } from '../host/file-lock.ts';
import type { Layer, LayerRecord, LayerStore } from '../layer/store.ts';
import type { BuildRun } from './build-run.ts';

/** What a phase has made: a folder that becomes the layer, and facts about it for the manifest. */
export interface LayerProduct {
  readonly folder: string;
  readonly facts: LayerRecord['facts'];
  readonly seconds: LayerRecord['seconds'];
}

interface LayerRequest {
  readonly key: string;
  readonly phase: LayerRecord['phase'];
  /** The layer that this one is an overlay of. */
  readonly parent?: Layer;
  readonly make: () => Promise<LayerProduct>;
}

export interface ObtainedLayer {
  readonly layer: Layer;
  /** An earlier build had made it. */
  readonly reused: boolean;
}

/** The layer of a key: the one in the store, or made now. Of two processes one makes it and the other waits. */
export function obtainLayer(run: BuildRun, store: LayerStore, request: LayerRequest): Promise<ObtainedLayer> {
  const { key, phase, parent, make } = request;
  const onWait = (holder: string): void => run.warn(`Waiting for ${holder}, which makes the same ${phase} layer.`);
  return withFileLock(store.lockPath(key), { signal: run.signal, onWait }, async () => {
    const found = run.plan.reuseLayers ? await store.find(key, parent?.record.id) : undefined;
    if (found) {
      run.tellInfo(`${phase}: using the layer ${key.slice(0, 12)} of an earlier build`);
      return { layer: found, reused: true };
    }
    const { folder, facts, seconds } = await make();
    const layer = await store.commit(folder, {
      key,
      phase,
      facts,
      seconds,
      ...(parent ? { parentId: parent.record.id } : {}),
    });
    return { layer, reused: false };
  });
}
