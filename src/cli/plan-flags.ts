import { resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { InputError } from '../errors.ts';
import { findCacheDir } from '../host/cache-dir.ts';
import type { PlanOptions } from '../plan/make-plan.ts';
import { type AccelChoice, accelChoices, type LayerPhase, layerPhases, type PhaseChoice } from '../plan/plan.ts';
import { isAtOrAfter } from '../plan/reuse.ts';
import { logFormats } from '../progress/choose.ts';
import type { CommandContext } from './command-context.ts';
import { collect, type RecipeFlagValues } from './recipe-flags.ts';

/** The values of the flags that say how to build, as commander gives them. */
export interface PlanFlagValues extends RecipeFlagValues {
  readonly accel: AccelChoice;
  readonly output: string;
  readonly media?: readonly string[];
  readonly offline?: boolean;
  readonly force?: boolean;
  readonly cache: boolean;
  readonly refresh?: boolean;
  readonly from?: LayerPhase;
  readonly until?: LayerPhase;
  readonly only?: LayerPhase;
  readonly keepOnFailure?: boolean;
}

/** Gives a command the flags that say how to build rather than what. */
export function addPlanFlags(command: Command): void {
  addAccelFlag(command);
  command
    .option(
      '--media <dir>',
      'a folder of installer files that is looked in before any download; may be repeated',
      collect,
    )
    .option(
      '--offline',
      'kvmimg fetches nothing: what is not in the cache or a media folder is an error. A script in the guest can still reach the network',
    )
    .option('-o, --output <dir>', 'folder for the files', './out')
    .option('--force', 'replace files that exist')
    .option('--no-cache', 'use no layer of an earlier build')
    .option('--refresh', 'make again what has read the package mirror')
    .addOption(new Option('--from <phase>', 'run this phase and what follows, cached or not').choices(layerPhases))
    .addOption(new Option('--until <phase>', 'end after this phase; until install gives a base').choices(layerPhases))
    .addOption(
      new Option('--only <phase>', 'run this phase alone; what it stands on must be cached')
        .choices(layerPhases)
        .conflicts(['from', 'until']),
    )
    .option('--keep-on-failure', 'keep the machine of a build that fails until Ctrl-C, for `kvmimg shell`');
}

export function addAccelFlag(command: Command): void {
  command.addOption(
    new Option('--accel <accel>', 'how machines run; auto proves KVM with a guest')
      .choices(accelChoices)
      .default('auto'),
  );
}

/** Gives a command the flag that says how progress is shown. */
export function addLogFlag(command: Command): void {
  command.addOption(
    new Option('--log-format <format>', 'progress: auto is live on a terminal, else plain')
      .choices(logFormats)
      .default('auto'),
  );
}

export function makePlanOptions(values: PlanFlagValues, context: CommandContext): PlanOptions {
  return {
    accel: values.accel,
    outputDir: resolve(context.cwd, values.output),
    cacheDir: findCacheDir(context.env),
    mediaDirs: (values.media ?? []).map((dir) => resolve(context.cwd, dir)),
    force: values.force ?? false,
    keepOnFailure: values.keepOnFailure ?? false,
    cache: !values.cache ? 'ignore' : values.refresh ? 'refresh' : 'use',
    phases: choosePhases(values),
    offline: values.offline ?? false,
  };
}

function choosePhases({ from, until, only }: PlanFlagValues): PhaseChoice {
  if (from && until && !isAtOrAfter(until, from)) {
    throw new InputError([
      { place: '--until', message: `${until} comes before ${from}`, hint: `The order is ${layerPhases.join(', ')}.` },
    ]);
  }
  return { ...(from ? { from } : {}), ...(until ? { until } : {}), ...(only ? { only } : {}) };
}
