import { InputError, type Problem } from '../errors.ts';
import { findCacheDir } from '../host/cache-dir.ts';
import { sweepLeftovers } from '../host/sweep.ts';
import { chooseRemovals, type PruneRule, type Removal } from '../layer/prune.ts';
import { type LayerStore, openLayerStore } from '../layer/store.ts';
import { formatSize, parseDurationMs, parseSizeBytes } from '../recipe/quantities.ts';
import type { CommandContext, CommandStatus } from './command-context.ts';
import { makeLayerRows, renderLayerTable } from './layer-table.ts';

/** `kvmimg cache path`. */
export async function printCachePath({ env, output }: CommandContext): Promise<CommandStatus> {
  output.print(findCacheDir(env));
  return 0;
}

/** `kvmimg cache ls`: the layers, and the room that they take. */
export async function listLayers(flags: { readonly json?: boolean }, context: CommandContext): Promise<CommandStatus> {
  const { output, env, signal } = context;
  const rows = makeLayerRows(await openLayerStore(findCacheDir(env), signal).list());
  if (flags.json) output.print(JSON.stringify(rows, undefined, 2));
  else for (const line of renderLayerTable(rows, new Date())) output.print(line);
  return 0;
}

export interface PruneFlags {
  readonly maxSize?: string;
  readonly olderThan?: string;
  readonly all?: boolean;
  readonly dryRun?: boolean;
}

/** `kvmimg cache prune`: a line on standard output for each layer that is gone, or would go. */
export async function pruneLayers(flags: PruneFlags, context: CommandContext): Promise<CommandStatus> {
  const { output, env, signal } = context;
  const rule = makePruneRule(flags, new Date());
  const cacheDir = findCacheDir(env);
  const store = openLayerStore(cacheDir, signal);
  const removals = flags.dryRun
    ? chooseRemovals(await store.list(), rule)
    : await sweepAndPrune(store, { cacheDir, rule, log: output.log });
  for (const { title, folder, sizeBytes, because } of removals) {
    output.print(`${folder}  ${title}, ${formatSize(sizeBytes)}: ${because}`);
  }
  const [count, freed] = [removals.length, removals.reduce((sum, removal) => sum + removal.sizeBytes, 0)];
  const what = `${count === 0 ? 'nothing' : count === 1 ? '1 layer' : `${count} layers`}`;
  output.log(`${flags.dryRun ? 'would remove' : 'removed'} ${what}${count === 0 ? '' : `, ${formatSize(freed)}`}`);
  return 0;
}

interface Pruning {
  readonly cacheDir: string;
  readonly rule: PruneRule;
  readonly log: (line: string) => void;
}

async function sweepAndPrune(store: LayerStore, { cacheDir, rule, log }: Pruning): Promise<Removal[]> {
  // What dead builds used is in use no more.
  const swept = await sweepLeftovers(cacheDir);
  if (swept.removed.length > 0) log(`removed what ${swept.removed.length} builds had left when they were killed`);
  for (const { path, reason } of swept.failed) log(`warning: ${path} could not be removed: ${reason}`);
  let chosen: Removal[] = [];
  const gone = await store.remove((contents) => {
    chosen = chooseRemovals(contents, rule);
    return chosen.map((removal) => removal.folder);
  });
  return chosen.filter((removal) => gone.includes(removal.folder));
}

/** @throws InputError with every flag that makes no sense. */
function makePruneRule({ maxSize, olderThan, all }: PruneFlags, now: Date): PruneRule {
  const maxSizeBytes = maxSize === undefined ? undefined : parseSizeBytes(maxSize);
  const ageMs = olderThan === undefined ? undefined : parseDurationMs(olderThan);
  const problems: Problem[] = [];
  if (maxSize !== undefined && maxSizeBytes === undefined) {
    problems.push({ place: '--max-size', message: `must be a size such as 20GiB, not "${maxSize}"` });
  }
  if (olderThan !== undefined && ageMs === undefined) {
    problems.push({ place: '--older-than', message: `must be a duration such as 7d or 12h, not "${olderThan}"` });
  }
  if (problems.length > 0) throw new InputError(problems);
  return {
    all: all ?? false,
    ...(maxSizeBytes === undefined ? {} : { maxSizeBytes }),
    ...(ageMs === undefined ? {} : { usedBefore: new Date(now.getTime() - ageMs) }),
  };
}
