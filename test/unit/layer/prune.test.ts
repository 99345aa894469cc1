import { describe, expect, it } from 'vitest';
import { chooseRemovals, type PruneRule } from '../../../src/layer/prune.ts';
import type { StoreContents, StoredLayer } from '../../../src/layer/store.ts';

const day = (number: number): Date => new Date(Date.UTC(2030, 0, number));

/** A layer of 10 bytes that was last used on a day of January. */
function layer(id: string, usedOn: number, changes: Partial<StoredLayer> & { parentId?: string } = {}): StoredLayer {
  const { parentId, ...facts } = changes;
  return {
    folder: `/layers/${id}`,
    diskPath: `/layers/${id}/disk.qcow2`,
    record: {
      ...{ layerVersion: 2, key: `key-${id}`, id, phase: 'provision', title: id, recipe: 'web', distro: 'd' },
      ...{ createdAt: day(1).toISOString(), seconds: 1, inputs: {}, facts: {}, disk: null },
      ...(parentId === undefined ? {} : { parentId }),
    },
    ...{ sizeBytes: 10, usedAt: day(usedOn), children: [], inUse: false, dead: false },
    ...facts,
  };
}

// base <- old, base <- young <- tip
const tree = [
  layer('base', 9),
  layer('old', 3, { parentId: 'base' }),
  layer('young', 9, { parentId: 'base' }),
  layer('tip', 9, { parentId: 'young' }),
];
const inUse = tree.map((one) => (one.record.id === 'base' || one.record.id === 'old' ? { ...one, inUse: true } : one));
const deadChain = [
  layer('first', 1, { dead: true }),
  layer('first-child', 9, { dead: true, parentId: 'first' }),
  layer('second', 9),
];
const usedDeadChain = deadChain.map((one) => (one.dead ? { ...one, inUse: true } : one));

const cases: readonly (readonly [string, readonly StoredLayer[], PruneRule, readonly string[]])[] = [
  ['nothing without a rule', tree, {}, []],
  ['dead layers without a rule, what stands on them first', deadChain, {}, ['first-child', 'first']],
  ['no dead layer that is in use', usedDeadChain, { all: true }, ['second']],
  ['everything', tree, { all: true }, ['old', 'tip', 'young', 'base']],
  ['everything but what is in use and what that stands on', inUse, { all: true }, ['tip', 'young']],
  ['what was last used before a day', tree, { usedBefore: day(5) }, ['old']],
  ['nothing that was used on that very day', tree, { usedBefore: day(3) }, []],
  ['a whole chain that is too old', tree, { usedBefore: day(10) }, ['old', 'tip', 'young', 'base']],
  ['the least recently used until the rest has room', tree, { maxSizeBytes: 30 }, ['old']],
  ['no more than it must', tree, { maxSizeBytes: 29 }, ['old', 'tip']],
  ['nothing where there is room enough', tree, { maxSizeBytes: 40 }, []],
  ['all that it can where there is no room at all', inUse, { maxSizeBytes: 0 }, ['tip', 'young']],
  ['dead layers before it looks at the room', [...tree, ...deadChain], { maxSizeBytes: 50 }, ['first-child', 'first']],
  ['by age and then by size', tree, { usedBefore: day(5), maxSizeBytes: 20 }, ['old', 'tip']],
];

describe('prune', () => {
  it.each(cases)('removes %s', (_, layers, rule, expected) => {
    const removals = chooseRemovals({ layers, damaged: [] }, rule);
    expect(removals.map(({ folder }) => folder)).toEqual(expected.map((id) => `/layers/${id}`));
  });

  it('removes what is damaged in any case, and says why', () => {
    const contents: StoreContents = {
      layers: [layer('dead', 1, { dead: true })],
      damaged: [
        { folder: '/layers/x', damage: 'its disk.qcow2 is gone', sizeBytes: 7, inUse: false, isForeign: false },
      ],
    };
    expect(chooseRemovals(contents, {})).toEqual([
      { folder: '/layers/x', title: 'damaged layer', sizeBytes: 7, because: 'it is damaged: its disk.qcow2 is gone' },
      { folder: '/layers/dead', title: 'dead of web', sizeBytes: 10, because: 'no build can use it any more' },
    ]);
  });
});
