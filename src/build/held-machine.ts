import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { z } from 'zod';
import { messageOf } from '../errors.ts';
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

/** A machine that can be kept. */
export interface KeepableMachine {
  readonly watched: WatchedMachine;
  /** How it is entered; undefined as long as its host key is not known. */
  readonly address: () => SshAddress | undefined;
}

type HoldingRun = Pick<BuildRun, 'plan' | 'workDir' | 'signal' | 'warn'>;

/** Does work with a machine. Where that fails and the user wants so, the machine is kept before the failure goes on. */
export async function keptOnFailure<T>(run: HoldingRun, machine: KeepableMachine, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (run.plan.keepOnFailure) await holdMachine(run, machine, error);
    throw error;
  }
}

/**
 * Keeps a machine running after a failure until the user interrupts the build or the guest powers off. One that has not
 * let the build in may do so late, and its console goes on.
 */
async function holdMachine(run: HoldingRun, { watched, address }: KeepableMachine, error: unknown): Promise<void> {
  const { plan, workDir, signal, warn } = run;
  const { machine } = watched;
  if (signal.aborted) return;
  if (machine.hasExited()) {
    warn(`${plan.name} has failed. Its machine has ended by itself, so there is none to keep.`);
    return;
  }
  const path = join(workDir, heldName);
  const id = basename(workDir).slice(0, 8);
  const known = address();
  if (known) {
    const held: HeldMachine = { id, build: plan.name, ...known };
    await writeFile(path, JSON.stringify(held), { mode: 0o600 });
  }
  warn(`${plan.name} has failed and its machine is kept: ${messageOf(error)}`);
  warn(
    known
      ? `Enter it from another terminal: kvmimg shell ${id}`
      : 'It cannot be entered, for it has not printed its SSH host key.',
  );
  warn(`Its serial console is written to ${machine.serialLogPath}.`);
  warn('Ctrl-C here ends it and gives the whole report.');
  await abortable(machine.exited, signal).catch(() => {});
  if (!signal.aborted) warn('The machine that was kept has ended.');
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
