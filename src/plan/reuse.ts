import { formatSeconds } from '../recipe/quantities.ts';
import { type LayerPhase, layerPhases, type Plan, type PlannedLayer } from './plan.ts';

/** From when on a layer must be to be used again. */
export interface Freshness {
  /** Undefined where any will do. */
  readonly since: Date | undefined;
  /** Completes "will run, because …" for a layer that is older. */
  readonly because: string;
}

/** Which layers of earlier builds a build that starts now may use. Pure. */
export function makeReuseRule(
  plan: Pick<Plan, 'cache' | 'offline' | 'phases' | 'recipe'>,
  startedAt: Date,
): (layer: Pick<PlannedLayer, 'phase' | 'readsMirror'>) => Freshness {
  const { cache, offline, phases, recipe } = plan;
  const from = phases.only ?? phases.from;
  return ({ phase, readsMirror }) => {
    if (cache === 'ignore') return { since: startedAt, because: '--no-cache was given' };
    if (from !== undefined && isAtOrAfter(phase, from)) {
      return { since: startedAt, because: `${phases.only ? '--only' : '--from'} ${from} was given` };
    }
    if (!readsMirror) return { since: undefined, because: '' };
    if (cache === 'refresh') return { since: startedAt, because: '--refresh was given' };
    // Offline it would be made again of the very same files.
    if (offline || recipe.expires === 'never') return { since: undefined, because: '' };
    return {
      since: new Date(startedAt.getTime() - recipe.expires),
      because: `it has read the mirror more than ${formatSeconds(recipe.expires / 1000)} ago (expires)`,
    };
  };
}

export function isAtOrAfter(phase: LayerPhase, other: LayerPhase): boolean {
  return layerPhases.indexOf(phase) >= layerPhases.indexOf(other);
}
