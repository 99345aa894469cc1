import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { makeChecks } from '../guest/elements.ts';
import { packageManagers } from '../guest/packages/package-manager.ts';
import type { Layer } from '../layer/store.ts';
import { withScope } from '../lifecycle/scope.ts';
import { bootImage, waitForFirstBoot } from '../verify/boot-image.ts';
import { checkImage } from '../verify/check-image.ts';
import { type BuildRun, limitsOf } from './build-run.ts';
import { explainedBy } from './failure-report.ts';
import { holdMachine } from './held-machine.ts';
import type { Tell } from './phase-clock.ts';
import { loadSources } from './sources.ts';

/**
 * Boots a throw-away overlay of the sealed disk, larger than the disk, with first-boot data, and checks it: what was not
 * booted is not done.
 *
 * @throws KvmimgError `image-check`, `first-boot`, `wait-limit`.
 */
export async function verifySealed(run: BuildRun, sealed: Layer, tell: Tell): Promise<void> {
  const { recipe, distro } = run.plan;
  const packages = packageManagers[distro.family];
  const workDir = join(run.workDir, 'verify');
  await mkdir(workDir, { mode: 0o700 });
  const checks = makeChecks(recipe, { sources: await loadSources(run.plan), packages });
  await withScope(async (scope) => {
    await run.takeRoom(scope, tell);
    run.countBoot();
    tell('waiting for the image to boot and answer by SSH', 0.1);
    const booted = await bootImage(
      {
        image: { path: sealed.diskPath, format: 'qcow2' },
        hardware: { ...run.hardware, bus: 'virtio', nic: 'virtio-net-pci' },
        hostname: 'kvmimg-verify',
        user: 'verify',
        diskSizeBytes: recipe.disk.size + 2 ** 30,
      },
      { workDir, scope, signal: run.signal, limitMs: limitsOf(run).sshMs, silenceLimitMs: limitsOf(run).silenceMs },
    );
    const check = async (): Promise<void> => {
      tell('waiting for the first boot to be complete', 0.7);
      await waitForFirstBoot(booted);
      tell(`checking ${checks.length} declared elements`, 0.9);
      const disk = recipe.answerFile === undefined ? recipe.disk : undefined;
      await checkImage(booted, checks, { packages, disk });
    };
    await explainedBy(run, booted.watched, 'the booted image', check).catch(async (error) => {
      if (run.plan.keepOnFailure) await holdMachine(run, booted);
      throw error;
    });
    await booted.guest.close();
    await booted.watched.machine.kill();
  });
}
