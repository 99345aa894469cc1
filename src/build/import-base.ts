import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { type DiskInfo, readDiskInfo } from '../disk/disk-info.ts';
import { convertDisk } from '../disk/qemu-img.ts';
import { KvmimgError } from '../errors.ts';
import { withScope } from '../lifecycle/scope.ts';
import { openDigestMemory } from '../media/digest-memory.ts';
import { buildUserName } from '../plan/plan.ts';
import { formatSize } from '../recipe/quantities.ts';
import { type BootedImage, type BootRequest, startImage, waitForFirstBoot } from '../verify/boot-image.ts';
import type { LayerProduct } from './build-layers.ts';
import { type BuildRun, limitsOf } from './build-run.ts';
import { explainedBy } from './failure-report.ts';
import { keptOnFailure } from './held-machine.ts';
import type { PhaseClock, Tell } from './phase-clock.ts';
import { checkUnchanged } from './sources.ts';

/**
 * Takes the place of an install for a recipe whose `base` is a disk image: boots an overlay of it as its user would, with
 * first-boot data that makes the build's user, and keeps what comes of it as a disk of its own.
 *
 * @throws KvmimgError `base-unusable`, `first-boot`, `wait-limit`.
 */
export function importBase(run: BuildRun, imagePath: string, clock: PhaseClock): Promise<LayerProduct> {
  return clock.run('install', `Enter the base image ${basename(imagePath)}`, async (tell) => {
    const startMs = performance.now();
    const folder = join(run.workDir, 'install');
    const bootDir = join(run.workDir, 'base');
    for (const each of [folder, bootDir]) await mkdir(each, { mode: 0o700 });
    const image = await readDiskInfo(imagePath, { signal: run.signal });
    checkImage(run, image, imagePath);
    const format = image.format === 'raw' ? 'raw' : 'qcow2';
    await enterImage(run, { image: { path: imagePath, format }, folder, bootDir, tell });
    tell('keeping its disk', 0.9);
    const overlay = { path: join(bootDir, 'overlay.qcow2'), format: 'qcow2' as const };
    const destination = { path: join(folder, 'disk.qcow2'), format: 'qcow2' as const };
    await convertDisk({ source: overlay, destination }, { signal: run.signal });
    // A large file, which the next plan need not read again.
    await checkUnchanged(run.plan, imagePath, openDigestMemory(run.plan.cacheDir));
    return { folder, facts: {}, seconds: Math.round((performance.now() - startMs) / 100) / 10 };
  });
}

function unusable(message: string, hint: string): KvmimgError {
  return new KvmimgError({ code: 'base-unusable', message, hint });
}

function checkImage(run: BuildRun, { format, virtualSizeBytes, backingChain }: DiskInfo, path: string): void {
  const { size } = run.plan.recipe.disk;
  if (format === 'vmdk') {
    throw unusable(`The base image ${path} is a VMDK.`, 'Make a qcow2 of it: `kvmimg convert IMAGE --format qcow2`.');
  }
  if (backingChain.length > 0) {
    const hint = 'Make one that stands alone: `qemu-img convert -O qcow2 IMAGE WHOLE.qcow2`.';
    throw unusable(`The base image ${path} is an overlay of ${backingChain[0]?.path}, which may change.`, hint);
  }
  if (virtualSizeBytes <= size) return;
  const message = `The disk of the base image ${path} has ${formatSize(virtualSizeBytes)}, which is more than ${formatSize(size)}.`;
  throw unusable(message, `Say so in the recipe: \`disk: { size: ${virtualSizeBytes} }\`.`);
}

interface EnterParts {
  readonly image: BootRequest['image'];
  readonly folder: string;
  readonly bootDir: string;
  readonly tell: Tell;
}

function enterImage(run: BuildRun, { image, folder, bootDir, tell }: EnterParts): Promise<void> {
  const { recipe } = run.plan;
  return withScope(async (scope) => {
    await run.takeRoom(scope, tell);
    run.countBoot();
    tell('waiting for the base image to boot and answer by SSH', 0.1);
    const booting = await startImage(
      {
        image,
        hardware: { ...run.hardware, bus: 'virtio', nic: 'virtio-net-pci' },
        hostname: recipe.hostname,
        user: buildUserName,
        diskSizeBytes: recipe.disk.size,
      },
      {
        workDir: bootDir,
        scope,
        signal: run.signal,
        limitMs: limitsOf(run).sshMs,
        silenceLimitMs: limitsOf(run).silenceMs,
      },
    );
    const { watched } = booting;
    const { guest, address } = await keptOnFailure(run, booting, async () => {
      const awaited = 'the base image to print its SSH host key and let the build in';
      const booted = await explainedBy(run, watched, awaited, booting.enter);
      await explainedBy(run, watched, 'the first boot of the base image to be complete', async () => {
        tell('waiting for the first boot to be complete', 0.6);
        await waitForFirstBoot(booted);
        await keepEnterable(booted);
      });
      return booted;
    });
    await copyFile(address.privateKeyPath, join(folder, 'user-key'));
    await writeFile(join(folder, 'host-key.pub'), `${address.hostPublicKey}\n`);
    await guest.runAsRoot(['sync'], { signal: watched.signal });
    watched.expectExit();
    await guest.close();
    const exit = await watched.machine.powerDown({ graceMs: limitsOf(run).powerOffMs });
    if (exit.kind !== 'guest-shutdown') {
      throw unusable(
        `The base image did not power itself off: ${exit.description}`,
        'Boot it by hand, and build again.',
      );
    }
  });
}

/** Lets the build in at later boots, too, which have no first-boot data. */
async function keepEnterable({ guest, watched: { signal } }: BootedImage): Promise<void> {
  // Without data cloud-init would make another host key; the seal removes this.
  await guest.runAsRoot(['touch', '/etc/cloud/cloud-init.disabled'], { signal });
  // cloud-init's own rule goes early in the seal; this one goes in its last act, as an installer's would.
  const content = `${buildUserName} ALL=(ALL) NOPASSWD:ALL\n`;
  await guest.writeFile({ path: `/etc/sudoers.d/${buildUserName}`, content, mode: '0440', owner: 'root:root' }, signal);
}
