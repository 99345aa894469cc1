import { findOwnAnswerWarnings } from '../answer-file/load-answer.ts';
import { checkStates, explainLayers, type LayerState } from '../build/explain-layers.ts';
import { findMissingMedia } from '../build/missing-media.ts';
import { type PlannedMachines, planMachines } from '../build/planned-machines.ts';
import { openLayerStore } from '../layer/store.ts';
import type { Plan, PlannedLayer, PlannedMedia } from '../plan/plan.ts';
import { takesPackagesFromIso } from '../plan/planned-media.ts';
import { resolvePlans } from '../plan/resolve-plan.ts';
import { findWarnings } from '../plan/warnings.ts';
import { quoteCommand } from '../process/quote-command.ts';
import { formatSize } from '../recipe/quantities.ts';
import type { CommandContext, CommandStatus } from './command-context.ts';
import { makePlanOptions, type PlanFlagValues } from './plan-flags.ts';
import { makeRecipeRequest } from './recipe-flags.ts';

export interface PlanCommandFlags extends PlanFlagValues {
  readonly json?: boolean;
}

/** `kvmimg plan`: what build would do; it touches nothing. Several plans are a list as JSON. */
export async function printPlans(
  subjects: readonly string[],
  flags: PlanCommandFlags,
  context: CommandContext,
): Promise<CommandStatus> {
  const { output } = context;
  const requests = subjects.map((subject) => makeRecipeRequest(subject, flags, context));
  const plans = await resolvePlans(requests, makePlanOptions(flags, context), { checksHost: true });
  const warn = (warning: string): void => output.log(`warning: ${warning}`);
  for (const plan of plans) for (const warning of await findPlanWarnings(plan)) warn(warning);
  const explained = await Promise.all(plans.map((plan) => explainPlan(plan, context.signal)));
  for (const each of explained.filter(installs)) for (const warning of await findMissingMedia(each.plan)) warn(warning);
  if (flags.json) output.print(JSON.stringify(plans.length === 1 ? explained[0] : explained, undefined, 2));
  else output.print(explained.map((each) => describeExplained(each).join('\n')).join('\n\n'));
  return 0;
}

async function findPlanWarnings(plan: Plan): Promise<readonly string[]> {
  return [...findWarnings(plan), ...(await findOwnAnswerWarnings(plan))];
}

function installs({ layers }: ExplainedPlan): boolean {
  return layers.some(({ phase, state }) => phase === 'install' && state === 'will-run');
}

interface ExplainedPlan extends PlannedMachines {
  readonly plan: Plan;
  readonly layers: readonly ExplainedLayer[];
}

interface ExplainedLayer extends Pick<PlannedLayer, 'title' | 'phase' | 'key'>, Pick<LayerState, 'state' | 'because'> {}

async function explainPlan(plan: Plan, signal: AbortSignal): Promise<ExplainedPlan> {
  const store = openLayerStore(plan.cacheDir, signal);
  const [states, machines] = await Promise.all([explainLayers(plan, store, new Date()), planMachines(plan)]);
  checkStates(plan, states);
  const layers = states.map(({ planned: { title, phase, key }, state, because }) => ({
    ...{ title, phase, key, state, because },
  }));
  return { plan, layers, ...machines };
}

function describeExplained({ plan, layers, ...machines }: ExplainedPlan): string[] {
  const runs = (phases: readonly string[]): boolean =>
    layers.some(({ phase, state }) => state === 'will-run' && phases.includes(phase));
  const started = machines.machines.filter(({ phase }) =>
    runs(phase === 'install' ? ['install'] : ['provision', 'seal']),
  );
  const lines = describeMachines({ ...machines, machines: started });
  return [...describePlan(plan), '', ...layers.map(describeLayer), '', ...lines];
}

function describeLayer({ title, state, because }: ExplainedLayer): string {
  return state === 'cached' ? `${title}: cached` : `${title}: will run, because ${because}`;
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
function describePlan(plan: Plan): string[] {
  const { recipe, distro, media, mirrors, outputs } = plan;
  const apt = distro.family === 'debian' || distro.family === 'ubuntu';
  const facts: readonly (readonly [string, string])[] = [
    ['name', plan.name],
    ['distro', `${distro.title} for ${recipe.arch}`],
    ['installer', describeMedia(media)],
    ['machine', `${recipe.cpus} CPUs, ${formatSize(recipe.memory)}, ${recipe.firmware}, accelerator ${plan.accel}`],
    ['disk', formatSize(recipe.disk.size)],
    [
      'mirror',
      takesPackagesFromIso(plan) ? 'none: packages come from the ISO' : `${mirrors.build} (${mirrors.source})`,
    ],
    ...(apt ? [['security', mirrors.buildSecurity] as const] : []),
    ['steps', recipe.provision.length === 0 ? 'none' : String(recipe.provision.length)],
    ['cache', plan.cacheDir],
    ...outputs.map(({ format, path }): [string, string] => [format, path]),
    ['manifest', plan.manifestPath],
    ['digest', plan.digest],
  ];
  return facts.map(([name, value]) => `${`${name}:`.padEnd(10)} ${value}`);
}

function describeMedia(media: PlannedMedia): string {
  switch (media.kind) {
    case 'netboot':
      return `${media.lock.release}, kernel ${media.lock.kernelVersion}`;
    case 'iso':
      return media.iso.path ?? media.iso.urls[0] ?? `${media.iso.fileName}, from a folder given by --media`;
    case 'tree':
      return `${media.path} on the mirror`;
  }
}
