import { existsSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readDiskInfo } from '../disk/disk-info.ts';
import { createDisk } from '../disk/qemu-img.ts';
import { KvmimgError } from '../errors.ts';
import { connectSsh, type SshSession } from '../guest/ssh-session.ts';
import { thisHost } from '../host/facts.ts';
import { sweepLeftovers } from '../host/sweep.ts';
import { makeWorkDir } from '../host/work-dirs.ts';
import type { Layer, LayerStore } from '../layer/store.ts';
import type { Scope } from '../lifecycle/scope.ts';
import { chooseAccel } from '../machine/accel/choose-accel.ts';
import { findFirmware } from '../machine/firmware.ts';
import { startWatchedMachine, type WatchedMachine } from '../machine/machine-watch.ts';
import { findQemu } from '../machine/qemu-facts.ts';
import { guestNetworkOf } from '../plan/guest-network.ts';
import { type AccelChoice, buildUserName } from '../plan/plan.ts';
import { type BootRequest, bootImage } from '../verify/boot-image.ts';
import { type BuildHardware, cpusFor, makeProvisionMachine } from './machine-specs.ts';
import type { ShellSettings, ShellTarget } from './shell-target.ts';

export interface ShellOptions {
  readonly cacheDir: string;
  readonly accel: AccelChoice;
  readonly store: LayerStore;
  readonly scope: Scope;
  readonly signal: AbortSignal;
  /** Told to the person who waits. */
  readonly tell: (sentence: string) => void;
}

/** An open session in a guest; both end with the scope. */
export interface ShellMachine {
  readonly guest: SshSession;
  readonly user: string;
  /** Aborted when the session can only hang: by an interrupt, or when the guest's kernel has panicked. */
  readonly signal: AbortSignal;
}

interface Place extends ShellOptions {
  readonly workDir: string;
}

/** The user of an image whose own users nobody knows: made by cloud-init in the overlay. */
const shellUserName = 'kvmimg';
const heldLimitMs = 60_000;

/**
 * Opens a session in what was found. A layer or an image is booted as an overlay that nobody keeps; a layer is held
 * meanwhile, so that no prune removes it.
 *
 * @throws KvmimgError `layer-gone`, `accel-unusable`, `wait-limit`, `machine-exit`.
 */
export async function startShell(target: ShellTarget, options: ShellOptions): Promise<ShellMachine> {
  const { cacheDir, scope, signal, tell } = options;
  await sweepLeftovers(cacheDir);
  const { path: workDir } = await makeWorkDir({ root: cacheDir, scope });
  const place: Place = { ...options, workDir };
  if (target.kind === 'machine') {
    const { machine } = target;
    tell(`Entering the machine of ${machine.build}, which its build keeps. What is changed in it stays until it ends.`);
    const guest = await connectSsh(machine, { workDir, scope, signal, limitMs: heldLimitMs });
    return { guest, user: machine.user, signal };
  }
  if (target.kind === 'image') {
    tell(`Booting an overlay of ${target.image.path}. ${thrownAway}`);
    return bootAsImage(target.image, target.settings, place);
  }
  const layer = await holdLayer(target.layer, place);
  const { title, recipe, id } = layer.record;
  tell(`Booting an overlay of the layer ${id.slice(0, 8)}, ${title} of ${recipe}. ${thrownAway}`);
  // The seal has removed the build's user.
  const isSealed = layer.record.phase === 'seal' || !existsSync(join(target.root.folder, 'user-key'));
  if (isSealed) return bootAsImage({ path: layer.diskPath, format: 'qcow2' }, target.settings, place);
  return bootAsBuild(layer, target, place);
}

const thrownAway = 'What is changed in it is thrown away.';

async function holdLayer({ record: { key, id, parentId } }: Layer, { store, workDir }: Place): Promise<Layer> {
  const layer = await store.use({ key, id, ...(parentId === undefined ? {} : { parentId }) }, workDir);
  if (layer) return layer;
  throw new KvmimgError({
    code: 'layer-gone',
    message: `The layer ${id} has been removed just now.`,
    hint: '`kvmimg cache ls` lists the layers that are there.',
  });
}

/** As the build boots it: by the build's own user, with the keys that the install has left. */
async function bootAsBuild(layer: Layer, { root, settings }: ShellTarget & { kind: 'layer' }, place: Place) {
  const { workDir, scope, signal, store } = place;
  const { hardware, binary, limitMs } = await chooseHardware(settings, place);
  const folder = join(workDir, 'shell');
  await mkdir(folder, { mode: 0o700 });
  const diskPath = join(folder, 'disk.qcow2');
  const backing = { path: store.backingPath(layer.record), format: 'qcow2' } as const;
  await createDisk({ path: diskPath, format: 'qcow2', backing });
  const watched = await startWatchedMachine(makeProvisionMachine(hardware, diskPath), {
    ...{ binary, scope, signal, silenceLimitMs },
    workDir: join(workDir, 'machine'),
  });
  const guest = await connectSsh(
    {
      port: watched.machine.sshPort ?? 0,
      user: buildUserName,
      privateKeyPath: join(root.folder, 'user-key'),
      hostPublicKey: (await readFile(join(root.folder, 'host-key.pub'), 'utf8')).trim(),
    },
    { workDir, scope, signal: watched.signal, limitMs },
  );
  return enter(guest, buildUserName, watched);
}

/** As its user boots it: with first-boot data for cloud-init. */
async function bootAsImage(image: BootRequest['image'], settings: ShellSettings, place: Place): Promise<ShellMachine> {
  const { workDir, scope, signal } = place;
  const { hardware, limitMs } = await chooseHardware(settings, place);
  const { virtualSizeBytes } = await readDiskInfo(image, { signal });
  const { guest, watched } = await bootImage(
    {
      image,
      hardware: { ...hardware, bus: 'virtio', nic: 'virtio-net-pci' },
      hostname: 'kvmimg-shell',
      user: shellUserName,
      diskSizeBytes: virtualSizeBytes,
    },
    { workDir, scope, signal, limitMs, silenceLimitMs },
  );
  return enter(guest, shellUserName, watched);
}

/** A person may think for as long as they like; what must happen before has a limit of its own. */
const silenceLimitMs = Number.POSITIVE_INFINITY;

function enter(guest: SshSession, user: string, watched: WatchedMachine): ShellMachine {
  // Powering the machine off from within is one way to leave it.
  watched.expectExit();
  return { guest, user, signal: watched.signal };
}

async function chooseHardware(
  { arch, cpus, memory, firmware, network }: ShellSettings,
  { accel, cacheDir, signal }: Place,
) {
  const binary = await findQemu(arch, thisHost);
  const decision = await chooseAccel({ choice: accel, ...{ arch, binary, cacheDir, signal } });
  const hardware: BuildHardware = {
    ...{ arch, memoryBytes: memory },
    ...guestNetworkOf({ network }),
    cpus: cpusFor(decision.accel, cpus),
    accel: decision.accel,
    cpuModel: decision.cpuModel,
    firmware: firmware === 'uefi' ? await findFirmware(arch) : { kind: 'bios' },
  };
  return { hardware, binary, limitMs: decision.accel === 'tcg' ? 600_000 : 180_000 };
}
