import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { makeChecks } from '../guest/elements.ts';
import { packageManagers } from '../guest/packages/package-manager.ts';
import type { Layer } from '../layer/store.ts';
import { withScope } from '../lifecycle/scope.ts';
import { startImage, waitForFirstBoot } from '../verify/boot-image.ts';
import { checkImage } from '../verify/check-image.ts';
import { type BuildRun, limitsOf } from './build-run.ts';
import { explainedBy } from './failure-report.ts';
import { keptOnFailure } from './held-machine.ts';
import type { Tell } from './phase-clock.ts';

/**
 * Boots a throw-away overlay of the sealed disk, larger than the disk, with first-boot data, and checks it: what was not
 * booted is not done.
 *
 * @throws KvmimgError `image-check`, `first-boot`, `wait-limit`, or whatever stopped it, with the serial console and a
 *   screenshot.
 */
export async function verifySealed(run: BuildRun, sealed: Layer, tell: Tell): Promise<void> {
  const { recipe, distro } = run.plan;
  const packages = packageManagers[distro.family];
  const workDir = join(run.workDir, 'verify');
  await mkdir(workDir, { mode: 0o700 });
  const digests = new Map(run.plan.sources.map(({ source, sha256 }) => [source, sha256]));
  const checks = makeChecks(recipe, { digests, packages });
  await withScope(async (scope) => {
    await run.takeRoom(scope, tell);
    run.countBoot();
    tell('waiting for the image to boot and answer by SSH', 0.1);
    const image = await startImage(
      {
        image: { path: sealed.diskPath, format: 'qcow2' },
        hardware: { ...run.hardware, bus: 'virtio', nic: 'virtio-net-pci' },
        hostname: 'kvmimg-verify',
        user: 'verify',
        diskSizeBytes: recipe.disk.size + 2 ** 30,
      },
      { workDir, scope, signal: run.signal, limitMs: limitsOf(run).sshMs, silenceLimitMs: limitsOf(run).silenceMs },
    );
    const { watched } = image;
    await keptOnFailure(run, image, async () => {
      const awaited = 'the sealed image to print its SSH host key and let its user in';
      const booted = await explainedBy(run, watched, awaited, image.enter);
      await explainedBy(run, watched, 'the booted image to complete its first boot and pass its checks', async () => {
        tell('waiting for the first boot to be complete', 0.7);
        await waitForFirstBoot(booted);
        tell(`checking ${checks.length} declared elements`, 0.9);
        const disk = recipe.answerFile === undefined ? recipe.disk : undefined;
        await checkImage(booted, checks, { packages, disk });
      });
      await booted.guest.close();
    });
    await watched.machine.kill();
  });
}
