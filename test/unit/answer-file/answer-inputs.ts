import type { RunFacts } from '../../../src/answer-file/run-facts.ts';
import { findDistro, findInstallerLock } from '../../../src/distro/catalogue.ts';
import { makePlan } from '../../../src/plan/make-plan.ts';
import type { Plan } from '../../../src/plan/plan.ts';
import type { Recipe } from '../../../src/recipe/schema.ts';
import { makeInputs, makeRecipe } from '../plan/plan-inputs.ts';

export const answerRun: RunFacts = {
  guestRoot: 'http://10.0.2.2:1234/token',
  syslogPort: 5514,
  buildUserKey: 'ssh-ed25519 AAAAbuild',
  hostKey: { privateKey: '-----BEGIN KEY-----\nabc\n-----END KEY-----\n', publicKey: 'ssh-ed25519 AAAAhost' },
};

/** A plan for a distro of kvmimg's own; what it needs of memory and disk is there. */
export async function planForDistro(id: string, settings: Partial<Record<keyof Recipe, unknown>> = {}): Promise<Plan> {
  const distro = await findDistro(id);
  if (distro === undefined) throw new Error(`no distro ${id}`);
  const lock = await findInstallerLock(distro, 'amd64');
  const recipe = makeRecipe({ distro: id, memory: '8GiB', disk: { size: '20GiB' }, ...settings });
  const made = makePlan({ ...makeInputs({}), recipe, distro, lock });
  if ('problems' in made) throw new Error(JSON.stringify(made.problems));
  return made.plan;
}
