import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createDisk } from '../disk/qemu-img.ts';
import { provision } from '../guest/provision.ts';
import { checkSealed, seal } from '../guest/seal.ts';
import { connectSsh, type SshSession } from '../guest/ssh-session.ts';
import type { Layer } from '../layer/store.ts';
import { type Scope, withScope } from '../lifecycle/scope.ts';
import { startWatchedMachine, type WatchedMachine } from '../machine/machine-watch.ts';
import { buildUserName } from '../plan/plan.ts';
import { waitUntil } from '../wait/wait-until.ts';
import type { LayerProduct } from './build-layers.ts';
import { type BuildRun, limitsOf } from './build-run.ts';
import { explainedBy } from './failure-report.ts';
import { makeSealMachine } from './machine-specs.ts';
import { type InstalledPackage, parsePackageList } from './manifest.ts';
import type { PhaseClock, Tell } from './phase-clock.ts';
import { loadSources } from './sources.ts';

/**
 * Boots an overlay of the installed disk once, applies the recipe's steps and seals. One boot does both, because a boot
 * takes a minute where it is emulated.
 */
export async function provisionAndSeal(run: BuildRun, installed: Layer, clock: PhaseClock): Promise<LayerProduct> {
  const folder = join(run.workDir, 'seal');
  await mkdir(folder, { mode: 0o700 });
  const disk = { path: join(folder, 'disk.qcow2'), format: 'qcow2' as const };
  await createDisk({ ...disk, backing: { path: installed.diskPath, format: 'qcow2' } });
  const packages = await withScope(async (scope) => {
    const watched = await startBuildMachine(run, disk.path, scope);
    run.services.attach(watched);
    const guest = await clock.run('provision', 'Provision over SSH', (tell) => {
      const work = (): Promise<SshSession> => provisionGuest(run, { installed, watched, scope, tell });
      return explainedBy(run, watched, 'the provisioned guest', work);
    });
    return clock.run('seal', 'Seal the image', (tell) => {
      return explainedBy(run, watched, 'the sealed guest to power itself off', () =>
        sealGuest(run, guest, watched, tell),
      );
    });
  });
  const { provision: provisionSeconds = 0, seal: sealSeconds = 0 } = clock.seconds();
  return {
    folder,
    facts: { packages: packages.map(({ name, version, arch }) => ({ name, version, arch })) },
    seconds: { provision: provisionSeconds, seal: sealSeconds },
  };
}

function startBuildMachine(run: BuildRun, diskPath: string, scope: Scope): Promise<WatchedMachine> {
  return startWatchedMachine(makeSealMachine(run.hardware, diskPath), {
    binary: run.qemuBinary,
    workDir: join(run.workDir, 'seal-machine'),
    scope,
    signal: run.signal,
    // A provision step may be silent for as long as its own limit allows.
    silenceLimitMs: Math.max(limitsOf(run).silenceMs, ...run.plan.recipe.provision.map((step) => step.timeout)),
  });
}

interface ProvisionParts {
  readonly installed: Layer;
  readonly watched: WatchedMachine;
  readonly scope: Scope;
  readonly tell: Tell;
}

async function provisionGuest(run: BuildRun, parts: ProvisionParts): Promise<SshSession> {
  const { installed, watched, scope, tell } = parts;
  tell('waiting for the installed system to answer by SSH');
  const hostPublicKey = (await readFile(join(installed.folder, 'host-key.pub'), 'utf8')).trim();
  const guest = await connectSsh(
    {
      port: watched.machine.sshPort ?? 0,
      user: buildUserName,
      privateKeyPath: join(installed.folder, 'user-key'),
      hostPublicKey,
    },
    { workDir: join(run.workDir, 'seal-machine'), scope, signal: watched.signal, limitMs: limitsOf(run).sshMs },
  );
  await pointAptAtBuild(run, guest, watched.signal);
  if (run.decision.accel === 'tcg') await speedUpEmulation(guest, watched.signal);
  await provision(guest, run.plan.recipe, await loadSources(run.plan), {
    signal: watched.signal,
    onActivity: (activity, fraction) => {
      watched.sign();
      tell(activity, fraction);
    },
  });
  return guest;
}

/** The install may be of an earlier build, whose server is gone: apt goes through this build's. The seal removes it. */
async function pointAptAtBuild(run: BuildRun, guest: SshSession, signal: AbortSignal): Promise<void> {
  const { codename } = run.plan.distro;
  const root = run.services.guestRoot;
  const lines = [
    `deb ${root}/debian ${codename} main`,
    `deb ${root}/debian ${codename}-updates main`,
    `deb ${root}/debian-security ${codename}-security main`,
  ];
  const file = { path: '/etc/apt/sources.list', mode: '0644', owner: 'root:root', content: `${lines.join('\n')}\n` };
  await guest.runAsRoot(['sh', '-c', 'rm -f /etc/apt/sources.list.d/*'], { signal });
  await guest.writeFile(file, signal);
}

/** What `norandmaps` does for the installer's kernel (see tcgKernelArguments), for as long as this boot lasts. */
async function speedUpEmulation(guest: SshSession, signal: AbortSignal): Promise<void> {
  await guest.runAsRoot(['sysctl', '-q', '-w', 'kernel.randomize_va_space=0'], { signal });
}

async function sealGuest(
  run: BuildRun,
  guest: SshSession,
  watched: WatchedMachine,
  tell: Tell,
): Promise<readonly InstalledPackage[]> {
  const { plan } = run;
  const { signal } = watched;
  const listed = await guest.run(['dpkg-query', '-W', '-f', '${Package}\\t${Version}\\t${Architecture}\\n'], {
    signal,
  });
  await seal(
    guest,
    {
      buildUser: buildUserName,
      hostname: plan.recipe.hostname,
      codename: plan.distro.codename,
      mirror: plan.mirrors.image,
      securityMirror: plan.mirrors.imageSecurity,
      traces: ['10.0.2.2', '10.0.2.3', buildUserName],
    },
    { signal, onActivity: tell, onLastAct: watched.expectExit },
  );
  await waitUntil({
    subject: 'the sealed guest to power itself off',
    hint: 'Its last act removes the build user, trims the disk and powers off; the serial console shows how far it got.',
    limitMs: limitsOf(run).powerOffMs,
    signal,
    check: () => watched.machine.hasExited() || undefined,
  });
  await watched.untilPoweredOff();
  checkSealed(watched.machine.lastSerialLines(200));
  return parsePackageList(listed.stdout);
}
