import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { z } from 'zod';
import type { SshAddress } from '../guest/ssh-session.ts';
import type { WatchedMachine } from '../machine/machine-watch.ts';
import { abortable } from '../wait/wait-until.ts';
import type { BuildRun } from './build-run.ts';

const heldSchema = z.strictObject({
  id: z.string(),
  build: z.string(),
  port: z.int(),
  user: z.string(),
  privateKeyPath: z.string(),
  hostPublicKey: z.string(),
});

/** A machine of a failed build that still runs, and how it is entered. */
export type HeldMachine = z.output<typeof heldSchema>;

const heldName = 'held.json';

/** Keeps a machine running after a failure until the user interrupts the build or the guest powers off. */
export async function holdMachine(
  run: BuildRun,
  { watched, address }: { readonly watched: WatchedMachine; readonly address: SshAddress },
): Promise<void> {
  if (run.signal.aborted || watched.machine.hasExited()) return;
  const id = basename(run.workDir).slice(0, 8);
  const held: HeldMachine = { id, build: run.plan.name, ...address };
  const path = join(run.workDir, heldName);
  await writeFile(path, JSON.stringify(held), { mode: 0o600 });
  run.warn(`${run.plan.name} has failed and its machine is kept. Enter it from another terminal: kvmimg shell ${id}`);
  run.warn('Ctrl-C here ends it and tells what went wrong.');
  await abortable(watched.machine.exited, run.signal).catch(() => {});
  await rm(path, { force: true });
}

/** The machines that failed builds keep now. */
export async function findHeldMachines(cacheDir: string): Promise<HeldMachine[]> {
  const work = join(cacheDir, 'work');
  const names = await readdir(work).catch(() => []);
  const texts = await Promise.all(names.map((name) => readFile(join(work, name, heldName), 'utf8').catch(() => '')));
  return texts.flatMap((text) => parseHeld(text) ?? []);
}

/** Undefined where it is torn: its build was killed. */
function parseHeld(text: string): HeldMachine | undefined {
  try {
    return heldSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
