import { InputError } from '../errors.ts';
import type { Layer } from '../layer/layer-record.ts';
import { findDamageOf, type LayerStore, type StoredLayer } from '../layer/store.ts';
import { type DeliveredFile, readDelivered } from '../plan/delivered.ts';
import { compareInputs, type InputChange } from '../plan/layer-inputs.ts';
import type { Plan, PlannedLayer } from '../plan/plan.ts';
import { makeReuseRule } from '../plan/reuse.ts';

/** What a build will do about one of its layers. */
export interface LayerState {
  readonly planned: PlannedLayer;
  readonly state: 'cached' | 'will-run';
  /** Completes "will run, because …"; empty for a cached one. */
  readonly because: string;
  /** Of a cached export. */
  readonly delivered?: DeliveredFile;
  /** Of another cached one. */
  readonly layer?: Layer;
}

/** More of them say no more than that it is another image. */
const toldChanges = 4;

/** Says of each layer of a plan whether an earlier build has left it, and why not. Changes nothing. */
export async function explainLayers(plan: Plan, store: LayerStore, startedAt: Date): Promise<LayerState[]> {
  const freshnessOf = makeReuseRule(plan, startedAt);
  const delivered = (await readDelivered(plan.manifestPath)) ?? [];
  const states: LayerState[] = [];
  let parent: Layer | undefined;
  let running: PlannedLayer | undefined;
  for (const planned of plan.layers) {
    const { since, because } = freshnessOf(planned);
    const cached = { planned, state: 'cached', because: '' } as const;
    if (running) {
      states.push({ planned, state: 'will-run', because: `${running.title} runs` });
    } else if (planned.phase === 'export') {
      const found = findDelivered(planned, plan, delivered, parent);
      if (typeof found === 'string') states.push({ planned, state: 'will-run', because: found });
      else if (isOlder(found.exportedAt, since)) states.push({ planned, state: 'will-run', because });
      else states.push({ ...cached, delivered: found });
    } else {
      const query = { key: planned.key, ...(parent ? { parentId: parent.record.id } : {}) };
      const found = await store.find(query);
      if (found && !isOlder(found.record.createdAt, since)) {
        states.push({ ...cached, layer: found });
        if (planned.phase !== 'verify') parent = found;
        continue;
      }
      const reason = found ? because : await explainMissing(planned, plan, store);
      states.push({ planned, state: 'will-run', because: reason });
      // What is exported does not stand on the verification.
      if (planned.phase !== 'verify') running = planned;
    }
  }
  return states;
}

function isOlder(time: string, since: Date | undefined): boolean {
  return since !== undefined && new Date(time) < since;
}

/** The file of an export; or, in words, why there is none. */
function findDelivered(
  planned: PlannedLayer,
  plan: Plan,
  delivered: readonly DeliveredFile[],
  sealed: Layer | undefined,
): DeliveredFile | string {
  const path = plan.outputs.find((output) => output.format === planned.format)?.path ?? '';
  const file = delivered.find((candidate) => candidate.path === path);
  if (file === undefined) return `no build has written ${path}`;
  if (!file.unchanged) return `${path} was changed after it was written`;
  const isSame = file.layerKey === planned.key && file.sealId === sealed?.record.id;
  return isSame ? file : `${path} is of another build`;
}

async function explainMissing(planned: PlannedLayer, plan: Plan, store: LayerStore): Promise<string> {
  const damage = await findDamageOf(plan.cacheDir, planned.key);
  if (damage !== undefined) return `the layer in the cache is damaged: ${damage}`;
  const { layers } = await store.list();
  const nearest = findNearest(planned, plan, layers);
  if (nearest === undefined) return 'no layer of it is in the cache';
  if (nearest.record.key === planned.key) return 'what it stands on was made again';
  const changes = compareInputs(nearest.record.inputs, planned.inputs);
  if (changes.length === 0) return 'no layer of it is in the cache on what it stands on';
  const told = changes.slice(0, toldChanges).map(describeChange);
  const rest = changes.length - told.length;
  return [...told, ...(rest > 0 ? [`${rest} more`] : [])].join('; ');
}

/** The layer of an earlier build that this one was most likely meant to be: the one with the fewest changes. */
function findNearest(planned: PlannedLayer, plan: Plan, layers: readonly StoredLayer[]): StoredLayer | undefined {
  const distance = ({ record }: StoredLayer): number =>
    compareInputs(record.inputs, planned.inputs).length * 4 +
    (record.recipe === plan.name ? 0 : 2) +
    (record.title === planned.title ? 0 : 1);
  const isRelated = ({ record }: StoredLayer): boolean =>
    record.phase === planned.phase &&
    record.distro === plan.distro.id &&
    kindOf(record.title) === kindOf(planned.title);
  const related = layers.filter(isRelated).reverse();
  return related.sort((one, other) => distance(one) - distance(other))[0];
}

/** `provision[0]` of `provision[0] (packages jq)`, `base` of `base disk.qcow2`: what could be an earlier form of it. */
function kindOf(title: string): string {
  return title.replace(/ .*$/s, '');
}

function describeChange({ input, before, after }: InputChange): string {
  if (before === undefined) return `${input} is new: ${after}`;
  if (after === undefined) return `${input} is gone: ${before}`;
  return `${input} has changed: ${before} -> ${after}`;
}

/** What only the layers can tell is wrong with the input. @throws InputError with all of it. */
export function checkStates(plan: Plan, states: readonly LayerState[]): void {
  const { only } = plan.phases;
  const missing = states.filter(({ planned, state }) => state === 'will-run' && planned.phase !== only);
  const problems = [
    ...(only === undefined ? [] : missing).map(({ planned, because }) => ({
      place: '--only',
      message: `${planned.title} is not in the cache: ${because}`,
      hint: 'Build without --only first.',
    })),
  ];
  if (problems.length > 0) throw new InputError(problems);
}
