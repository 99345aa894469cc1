import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { Accel } from '../machine/machine-spec.ts';
import type { Plan } from '../plan/plan.ts';
import { type PhaseName, phaseNames } from '../progress/events.ts';

/** Seconds by phase, then by what the length of the phase depends on. */
const timingsSchema = z.partialRecord(z.enum(phaseNames), z.record(z.string(), z.number()));

/** Seconds that whole phases took in earlier builds on this machine, for the estimates that progress shows. */
export interface Timings {
  /** `before`: the phases at which this build has worked so far. */
  readonly estimateSeconds: (phase: PhaseName, before: readonly PhaseName[]) => number | undefined;
  /** Adds those of a build, of its whole phases only; `worked` are all at which it has worked. */
  readonly record: (seconds: PhaseSeconds, worked: readonly PhaseName[]) => Promise<void>;
}

export type PhaseSeconds = Readonly<Partial<Record<PhaseName, number>>>;

export interface TimedBuild {
  readonly plan: Pick<Plan, 'name' | 'cacheDir' | 'media' | 'outputs'> & {
    readonly distro: Pick<Plan['distro'], 'id'>;
    readonly recipe: Pick<Plan['recipe'], 'arch' | 'base'>;
  };
  readonly accel: Accel;
  /** Where the file is written before it takes its place in the cache. */
  readonly workDir: string;
}

/** Reads `<cacheDir>/timings.json`; a damaged file, or one of an earlier version, counts as none. */
export async function loadTimings(build: TimedBuild): Promise<Timings> {
  const path = join(build.plan.cacheDir, 'timings.json');
  const all = await read(path);
  return {
    estimateSeconds: (phase, before) => all[phase]?.[subjectOf(phase, build, before)],
    record: async (seconds, worked) => {
      const merged = { ...(await read(path)) };
      for (const phase of phaseNames) {
        const taken = seconds[phase];
        if (taken !== undefined) merged[phase] = { ...merged[phase], [subjectOf(phase, build, worked)]: taken };
      }
      const draft = join(build.workDir, 'timings.json');
      await writeFile(draft, `${JSON.stringify(merged, null, 2)}\n`);
      await rename(draft, path);
    },
  };
}

/** What makes one build's phase longer than another's. */
function subjectOf(phase: PhaseName, { plan, accel }: TimedBuild, worked: readonly PhaseName[]): string {
  const { name, distro, recipe, media, outputs } = plan;
  const machine = [distro.id, recipe.arch, accel];
  const installed = recipe.base === undefined ? media.kind : 'base';
  const subjects: Readonly<Record<PhaseName, readonly string[]>> = {
    media: [distro.id, recipe.arch, installed],
    install: [...machine, installed],
    provision: [...machine, name],
    // It goes on in the boot of the provisioning, where there was any.
    seal: [...machine, worked.includes('provision') ? 'running' : 'booting'],
    verify: machine,
    export: [distro.id, recipe.arch, name, ...outputs.map(({ format }) => format).sort()],
  };
  return subjects[phase].join(' ');
}

async function read(path: string): Promise<z.output<typeof timingsSchema>> {
  try {
    return timingsSchema.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch {
    return {};
  }
}
