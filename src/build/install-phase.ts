import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createDisk } from '../disk/qemu-img.ts';
import { makeSshKeyPair } from '../guest/ssh-keys.ts';
import { withScope } from '../lifecycle/scope.ts';
import { startWatchedMachine, type WatchedMachine } from '../machine/machine-watch.ts';
import type { LayerProduct } from './build-layers.ts';
import { type BuildRun, limitsOf } from './build-run.ts';
import { explainFailure } from './failure-report.ts';
import type { BuildKeys, InstallBoot } from './installers/family-installer.ts';
import { type InstallerMessage, serialTag } from './installers/installer-voice.ts';
import { installers } from './installers/installers.ts';
import { awaitLastWords } from './installers/last-words.ts';
import { makeInstallMachine } from './machine-specs.ts';
import type { PhaseClock, Tell } from './phase-clock.ts';

/**
 * Fetches the boot media and installs into an empty disk with the distribution's own installer, until the guest powers
 * itself off. The folder of the result holds the disk and the keys that let the build in.
 *
 * @throws KvmimgError of whatever stopped it, with the installer's log, the serial console and a screenshot.
 */
export async function install(run: BuildRun, clock: PhaseClock): Promise<LayerProduct> {
  const installer = installers[run.plan.distro.family];
  const { files: media, makeBoot } = await clock.run('media', "Fetch the installer's files", async (tell) => {
    tell('asking the mirror');
    await run.services.checkMirrors();
    const onProgress = (done: number, total: number | undefined): void =>
      tell('fetching', total ? done / total : undefined);
    return installer.fetchMedia(run, { signal: run.signal, onProgress });
  });
  const folder = join(run.workDir, 'install');
  const diskPath = join(folder, 'disk.qcow2');
  await mkdir(folder, { mode: 0o700 });
  await clock.run('install', 'Run the installer', async (tell) => {
    const keys = await makeBuildKeys(folder, run.signal);
    await createDisk({ path: diskPath, format: 'qcow2', sizeBytes: run.plan.recipe.disk.size });
    await runInstaller(run, { makeBoot: () => makeBoot(keys), diskPath, tell });
  });
  const { media: mediaSeconds = 0, install: installSeconds = 0 } = clock.seconds();
  const facts = { media: media.map((file) => ({ ...file })) };
  return { folder, facts, seconds: Math.round((mediaSeconds + installSeconds) * 10) / 10 };
}

interface InstallParts {
  readonly makeBoot: () => Promise<InstallBoot>;
  readonly diskPath: string;
  readonly tell: Tell;
}

function runInstaller(run: BuildRun, { makeBoot, diskPath, tell }: InstallParts): Promise<void> {
  const { services } = run;
  const { voice } = installers[run.plan.distro.family];
  const log: string[] = [];
  let mayReset = false;
  const tellActivity = (message: InstallerMessage): void => {
    const activity = voice.readActivity(message);
    if (activity) tell(activity.activity, activity.fraction);
  };
  return withScope(async (scope) => {
    await run.takeRoom(scope, tell);
    run.countBoot();
    const boot = await makeBoot();
    services.addToMirror(boot.local ?? []);
    services.serveFiles(boot.files);
    let machineFail: WatchedMachine['fail'] | undefined;
    const words = awaitLastWords(voice.saysLast, (failure) => machineFail?.(failure), scope);
    const watched = await startWatchedMachine(makeInstallMachine(run.hardware, diskPath, boot), {
      binary: run.qemuBinary,
      workDir: join(run.workDir, 'install-machine'),
      scope,
      signal: run.signal,
      silenceLimitMs: limitsOf(run).silenceMs,
      findSerialFailure: (line, before) => {
        const failure = voice.findSerialFailure(line, before);
        // As long as the machine is only starting there is nobody whose words could be awaited.
        if (failure === undefined || machineFail === undefined) return failure;
        words.hold(failure);
        return undefined;
      },
      isIdleLine: voice.isIdleLine,
      onSerialLine: (text) => tellActivity({ tag: serialTag, text }),
    });
    const { machine } = watched;
    machineFail = watched.fail;
    const onMessage = (message: InstallerMessage): void => {
      log.push(`${message.tag}: ${message.text}`);
      tellActivity(message);
      const failure = voice.findFailure(message);
      if (failure) words.hold(failure);
    };
    services.attach(watched, {
      onMessage,
      onCallback: (callback) => {
        mayReset ||= callback.name === voice.resetsAfter;
        voice.readCallback?.(callback).forEach(onMessage);
        words.hear(callback.name);
        const failure = voice.findCallbackFailure(callback);
        if (failure) watched.fail(failure);
      },
    });
    try {
      await watched.untilPoweredOff(() => mayReset);
    } catch (error) {
      const requests = services.requestLines();
      throw await explainFailure(run.signal.aborted ? error : (words.held() ?? error), {
        folder: run.reportDir,
        awaited: requests.some((line) => line.includes(' seed/'))
          ? 'the installer to finish and power the machine off'
          : 'the installer to ask for its answer file, which it has never done: has it started, and has it a network?',
        logs: [
          { title: "The installer's log", fileName: 'syslog.log', lines: log },
          { title: 'Serial console', fileName: 'serial.log', lines: machine.lastSerialLines(2_000) },
          {
            title: 'Requests of the guest',
            fileName: 'requests.log',
            lines: requests.length > 0 ? requests : ['none'],
          },
        ],
        screenshot: (path) => machine.screenshot(path),
      });
    }
  });
}

async function makeBuildKeys(folder: string, signal: AbortSignal): Promise<BuildKeys> {
  const [user, host] = await Promise.all([
    makeSshKeyPair(folder, 'user-key', signal),
    makeSshKeyPair(folder, 'host-key', signal),
  ]);
  return { user, host };
}
