import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { PhaseName } from '../progress/events.ts';

const timingsSchema = z.record(z.string(), z.record(z.string(), z.number()));

/** Seconds that each phase took in earlier builds on this machine, for the estimates that progress shows. */
export interface Timings {
  readonly estimateSeconds: (phase: PhaseName) => number | undefined;
  /** Adds those of a build, written in its work folder first. */
  readonly record: (seconds: Partial<Record<PhaseName, number>>, workDir: string) => Promise<void>;
}

/** Reads `<cacheDir>/timings.json`, kept by distro and accelerator; a damaged file counts as none. */
export async function loadTimings(cacheDir: string, distro: string, accel: string): Promise<Timings> {
  const path = join(cacheDir, 'timings.json');
  const subject = `${distro} ${accel}`;
  const all = await read(path);
  return {
    estimateSeconds: (phase) => all[subject]?.[phase],
    record: async (seconds, workDir) => {
      const latest = await read(path);
      const merged = { ...latest, [subject]: { ...latest[subject], ...seconds } };
      const draft = join(workDir, 'timings.json');
      await writeFile(draft, `${JSON.stringify(merged, null, 2)}\n`);
      await rename(draft, path);
    },
  };
}

async function read(path: string): Promise<z.output<typeof timingsSchema>> {
  try {
    return timingsSchema.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch {
    return {};
  }
}
