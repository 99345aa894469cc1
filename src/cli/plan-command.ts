import { type PlannedMachines, planMachines } from '../build/planned-machines.ts';
import type { Plan } from '../plan/plan.ts';
import { resolvePlan } from '../plan/resolve-plan.ts';
import { quoteCommand } from '../process/quote-command.ts';
import { formatSize } from '../recipe/quantities.ts';
import type { CommandContext, CommandStatus } from './command-context.ts';
import { makePlanOptions, type PlanFlagValues } from './plan-flags.ts';
import { makeRecipeRequest } from './recipe-flags.ts';

export interface PlanCommandFlags extends PlanFlagValues {
  readonly json?: boolean;
}

/** `kvmimg plan`: what build would do; it touches nothing. */
export async function printPlan(
  subject: string,
  flags: PlanCommandFlags,
  context: CommandContext,
): Promise<CommandStatus> {
  const request = makeRecipeRequest(subject, flags, context.cwd);
  const plan = await resolvePlan(request, makePlanOptions(flags, context), { checksHost: true });
  const planned = await planMachines(plan);
  if (flags.json) context.output.print(JSON.stringify({ plan, ...planned }, undefined, 2));
  else for (const line of [...describePlan(plan), ...describeMachines(planned)]) context.output.print(line);
  return 0;
}

function describeMachines({ accel, machines }: PlannedMachines): string[] {
  const chosen = accel
    ? `${accel.accel} (${accel.reason})`
    : 'a guest will tell; the commands below are of an emulated machine';
  const commands = machines.map(
    ({ phase, argv: [program = '', ...args] }) => `${phase}: ${quoteCommand(program, args)}`,
  );
  return [`accel:     ${chosen}`, '', ...commands];
}

/** The plan for a person, one fact a line. */
function describePlan({ recipe, distro, lock, mirrors, outputs, layerKeys, ...plan }: Plan): string[] {
  const facts: readonly (readonly [string, string])[] = [
    ['name', plan.name],
    ['distro', `${distro.title} for ${recipe.arch}, installer ${lock.release}, kernel ${lock.kernelVersion}`],
    ['machine', `${recipe.cpus} CPUs, ${formatSize(recipe.memory)}, ${recipe.firmware}, accelerator ${plan.accel}`],
    ['disk', formatSize(recipe.disk.size)],
    ['mirror', `${mirrors.build} (${mirrors.source})`],
    ['steps', recipe.provision.length === 0 ? 'none' : String(recipe.provision.length)],
    ['install', `layer ${layerKeys.install.slice(0, 16)}`],
    ...layerKeys.provision.map((key, index): [string, string] => [`step ${index}`, `layer ${key.slice(0, 16)}`]),
    ['seal', `layer ${layerKeys.seal.slice(0, 16)}`],
    ['cache', plan.cacheDir],
    ...outputs.map(({ format, path }): [string, string] => [format, path]),
    ['manifest', plan.manifestPath],
    ['digest', plan.digest],
  ];
  return facts.map(([name, value]) => `${`${name}:`.padEnd(10)} ${value}`);
}
