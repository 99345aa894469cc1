import type { DistroOf, Family } from '../distro/schema.ts';
import type { Plan, PlannedMedia } from './plan.ts';

/** A plan whose distro and media are known to be of a kind. */
export type PlanOf<F extends Family, K extends PlannedMedia['kind']> = Plan & {
  readonly distro: DistroOf<F>;
  readonly media: Extract<PlannedMedia, { readonly kind: K }>;
};

/** The plan as what its family's code takes it for. Another one is a mistake of ours. */
export function planOf<F extends Family, K extends PlannedMedia['kind']>(
  plan: Plan,
  family: F,
  ...kinds: readonly K[]
): PlanOf<F, K> {
  if (isPlanOf(plan, family, kinds)) return plan;
  throw new Error(`The plan of ${plan.distro.id} is not one of ${family} from ${kinds.join(' or ')}.`);
}

function isPlanOf<F extends Family, K extends PlannedMedia['kind']>(
  plan: Plan,
  family: F,
  kinds: readonly K[],
): plan is PlanOf<F, K> {
  return plan.distro.family === family && kinds.some((kind) => kind === plan.media.kind);
}
