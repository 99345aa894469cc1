import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createDisk } from '../disk/qemu-img.ts';
import { messageOf } from '../errors.ts';
import { packageManagers } from '../guest/packages/package-manager.ts';
import { connectSsh, type SshAddress, type SshSession } from '../guest/ssh-session.ts';
import type { Layer } from '../layer/store.ts';
import { Scope } from '../lifecycle/scope.ts';
import { startWatchedMachine, type WatchedMachine } from '../machine/machine-watch.ts';
import { buildUserName } from '../plan/plan.ts';
import { type BuildRun, limitsOf } from './build-run.ts';
import { explainedBy } from './failure-report.ts';
import { keptOnFailure } from './held-machine.ts';
import { makeProvisionMachine } from './machine-specs.ts';
import type { Tell } from './phase-clock.ts';

/** What a step has written goes to the host's disk now, which may be slow. */
const syncLimitMs = 15 * 60_000;

/** A running overlay of a layer, entered by SSH. What is done in it becomes further layers. */
export interface GuestBoot {
  readonly guest: SshSession;
  readonly watched: WatchedMachine;
  readonly address: () => SshAddress;
  /**
   * Ends what is written to the disk now, without a reboot: gives the folder that holds it as `disk.qcow2`. The guest
   * goes on with an overlay of it, which names it as the store's layer `key` and `id`.
   */
  readonly checkpoint: (layer: { readonly key: string; readonly id: string }) => Promise<string>;
  /** The folder whose `disk.qcow2` is written now. */
  readonly folder: () => string;
  /** Ends the machine, and gives back what it took of the host. */
  readonly close: () => Promise<void>;
}

export interface BootRequest {
  readonly parent: Layer;
  /** The folder of the layer that holds the keys which let the build in. */
  readonly keys: string;
}

/** Boots an overlay of a layer and enters it. */
export async function startGuestBoot(run: BuildRun, request: BootRequest, tell: Tell): Promise<GuestBoot> {
  const scope = new Scope();
  try {
    return await boot(run, { ...request, scope, tell });
  } catch (error) {
    // What the clean-up says must not take the place of why.
    await scope.close().catch((failure) => run.warn(messageOf(failure)));
    throw error;
  }
}

interface BootParts extends BootRequest {
  readonly scope: Scope;
  readonly tell: Tell;
}

async function boot(run: BuildRun, { parent, keys, scope, tell }: BootParts): Promise<GuestBoot> {
  await run.takeRoom(scope, tell);
  const sizeBytes = run.plan.recipe.disk.size;
  let folder = await addOverlay(run, parent.record, { sizeBytes });
  const machineDir = join(run.workDir, run.nextName('machine'));
  const watched = await startWatchedMachine(makeProvisionMachine(run.hardware, join(folder, 'disk.qcow2')), {
    binary: run.qemuBinary,
    workDir: machineDir,
    scope,
    signal: run.signal,
    silenceLimitMs: limitsOf(run).silenceMs,
  });
  run.services.attach(watched);
  run.countBoot();
  tell('waiting for the installed system to answer by SSH');
  const sshAddress: SshAddress = {
    port: watched.machine.sshPort ?? 0,
    user: buildUserName,
    privateKeyPath: join(keys, 'user-key'),
    hostPublicKey: (await readFile(join(keys, 'host-key.pub'), 'utf8')).trim(),
  };
  const address = (): SshAddress => sshAddress;
  const enter = async (): Promise<SshSession> => {
    const { signal } = watched;
    const session = await connectSsh(sshAddress, { workDir: machineDir, scope, signal, limitMs: limitsOf(run).sshMs });
    await pointAtBuild(run, session, parent, signal);
    if (run.decision.accel === 'tcg') await speedUpEmulation(session, signal);
    return session;
  };
  const guest = await keptOnFailure(run, { watched, address }, () =>
    explainedBy(run, watched, 'the installed system to answer by SSH', enter),
  );
  return {
    ...{ guest, watched, address },
    folder: () => folder,
    checkpoint: async (layer) => {
      const done = folder;
      await guest.runAsRoot(['sync'], { signal: watched.signal, timeoutMs: syncLimitMs });
      folder = await addOverlay(run, layer, { sizeBytes, comesLater: true });
      await watched.machine.switchToOverlay(join(folder, 'disk.qcow2'));
      return done;
    },
    close: () => scope.close(),
  };
}

/**
 * Does work in a guest that has a time limit of its own, such as a provision step's: until then the guest may be silent,
 * and no longer.
 */
export async function letBeSilent<T>(run: BuildRun, watched: WatchedMachine, work: () => Promise<T>): Promise<T> {
  const signs = setInterval(watched.sign, Math.min(1_000, limitsOf(run).silenceMs / 4));
  try {
    return await work();
  } finally {
    clearInterval(signs);
    watched.sign();
  }
}

/** A new folder with an overlay of a layer of the store; gives the folder. */
async function addOverlay(
  run: BuildRun,
  layer: { readonly key: string; readonly id: string },
  { sizeBytes, comesLater = false }: { readonly sizeBytes: number; readonly comesLater?: boolean },
): Promise<string> {
  const folder = join(run.workDir, run.nextName('layer'));
  await mkdir(folder, { mode: 0o700 });
  const backing = { path: run.store.backingPath(layer), format: 'qcow2' as const, comesLater };
  await createDisk({ path: join(folder, 'disk.qcow2'), format: 'qcow2', sizeBytes, backing });
  return folder;
}

/**
 * The layer may be of an earlier build, whose server is gone: packages come through this build's. By standard input, for
 * the address holds the token, and command lines are for everybody on the host to read.
 */
async function pointAtBuild(run: BuildRun, guest: SshSession, parent: Layer, signal: AbortSignal): Promise<void> {
  const { plan } = run;
  const ofInstall = plan.recipe.base === undefined ? 'installer' : 'image';
  const sourcesOf = parent.record.phase === 'install' ? ofInstall : 'build';
  const input = packageManagers[plan.distro.family].pointAtBuild(plan, run.services.guestRoot, sourcesOf);
  await guest.runAsRoot(['sh', '-s'], { input, signal });
}

/** What `norandmaps` does for the installer's kernel (see tcgKernelArguments), for as long as this boot lasts. */
async function speedUpEmulation(guest: SshSession, signal: AbortSignal): Promise<void> {
  await guest.runAsRoot(['sysctl', '-q', '-w', 'kernel.randomize_va_space=0'], { signal });
}
