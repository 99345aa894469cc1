import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import type { PhaseName } from '../progress/events.ts';

const timingsSchema = z.record(z.string(), z.record(z.string(), z.number()));

/** Seconds that each phase took in earlier builds on this machine, for the estimates that progress shows. */
export interface Timings {
  readonly estimateSeconds: (phase: PhaseName) => number | undefined;
  readonly record: (seconds: Partial<Record<PhaseName, number>>) => Promise<void>;
}

/** Reads `<cacheDir>/timings.json`, kept by distro and accelerator; a damaged file counts as none. */
export async function loadTimings(cacheDir: string, distro: string, accel: string): Promise<Timings> {
  const path = join(cacheDir, 'timings.json');
  const subject = `${distro} ${accel}`;
  const all = await read(path);
  return {
    estimateSeconds: (phase) => all[subject]?.[phase],
    record: async (seconds) => {
      const latest = await read(path);
      const merged = { ...latest, [subject]: { ...latest[subject], ...seconds } };
      await mkdir(dirname(path), { recursive: true });
      await writeFile(`${path}.${process.pid}`, `${JSON.stringify(merged, null, 2)}\n`);
      await rename(`${path}.${process.pid}`, path);
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
