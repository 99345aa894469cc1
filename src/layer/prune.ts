import type { StoreContents, StoredLayer } from './store.ts';

/**
 * Which layers are not worth their room any more. Whatever it says, damaged and dead ones go and used ones stay; those of
 * another version of kvmimg go by `all` alone.
 */
export interface PruneRule {
  /** Everything that is not in use. */
  readonly all?: boolean;
  /** What was last used before this. */
  readonly usedBefore?: Date;
  /** The least recently used, until the layers take no more than this. */
  readonly maxSizeBytes?: number;
}

/** A layer, or the remains of one, that goes. */
export interface Removal {
  readonly folder: string;
  readonly title: string;
  readonly sizeBytes: number;
  /** Completes "removed, because …". */
  readonly because: string;
}

/**
 * What a rule removes from a store, in the order in which it can go: what others stand on comes after them, and stays
 * as long as one of them stays.
 */
export function chooseRemovals({ layers, damaged }: StoreContents, rule: PruneRule): Removal[] {
  const removals: Removal[] = damaged
    .filter(({ inUse, isForeign }) => !inUse && (rule.all || !isForeign))
    .map(({ folder, damage, sizeBytes }) => ({
      ...{ folder, sizeBytes },
      title: 'damaged layer',
      because: `it is damaged: ${damage}`,
    }));
  let staying = layers;
  for (;;) {
    const next = findNext(staying, rule);
    if (next === undefined) return removals;
    const { folder, record, sizeBytes } = next.layer;
    removals.push({ folder, title: `${record.title} of ${record.recipe}`, sizeBytes, because: next.because });
    staying = staying.filter((layer) => layer !== next.layer);
  }
}

function findNext(staying: readonly StoredLayer[], rule: PruneRule) {
  const needed = new Set(staying.map((layer) => layer.record.parentId));
  const free = staying
    .filter((layer) => !layer.inUse && !needed.has(layer.record.id))
    .sort((one, other) => one.usedAt.getTime() - other.usedAt.getTime());
  const [oldest] = free;
  if (oldest === undefined) return undefined;
  const dead = free.find((layer) => layer.dead);
  if (dead) return { layer: dead, because: 'no build can use it any more' };
  if (rule.all) return { layer: oldest, because: 'nobody uses it' };
  if (rule.usedBefore && oldest.usedAt < rule.usedBefore) {
    return { layer: oldest, because: `it was last used ${oldest.usedAt.toISOString().slice(0, 10)}` };
  }
  const sizeBytes = staying.reduce((sum, layer) => sum + layer.sizeBytes, 0);
  const isTooMuch = rule.maxSizeBytes !== undefined && sizeBytes > rule.maxSizeBytes;
  return isTooMuch
    ? { layer: oldest, because: 'it is the least recently used, and the layers take too much room' }
    : undefined;
}
