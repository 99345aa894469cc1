import { randomUUID } from 'node:crypto';
import { join, resolve } from 'node:path';
import type { DiskImage } from '../disk/disk-image.ts';
import { createDisk } from '../disk/qemu-img.ts';
import { type Evidence, KvmimgError } from '../errors.ts';
import { makeSshKeyPair } from '../guest/ssh-keys.ts';
import { connectSsh, type SshAddress, type SshSession } from '../guest/ssh-session.ts';
import type { Scope } from '../lifecycle/scope.ts';
import type { MachineDisk, MachineNetwork, MachineSpec } from '../machine/machine-spec.ts';
import { startWatchedMachine, type WatchedMachine } from '../machine/machine-watch.ts';
import type { GuestNetwork } from '../plan/guest-network.ts';
import { type SeedServer, startSeedServer } from '../seed-server/seed-server.ts';
import { waitUntil } from '../wait/wait-until.ts';
import { makeNoCloudSeed } from './nocloud-seed.ts';

/** The machine that an image is booted on: everything but its disks and its first-boot data. */
export type BootHardware = Pick<MachineSpec, 'arch' | 'accel' | 'cpuModel' | 'cpus' | 'memoryBytes' | 'firmware'> & {
  readonly bus: MachineDisk['bus'];
  readonly nic: MachineNetwork['nic'];
  readonly guestNetwork?: GuestNetwork;
};

export interface BootRequest {
  readonly image: DiskImage & { readonly format: 'qcow2' | 'raw' };
  readonly hardware: BootHardware;
  readonly hostname: string;
  readonly user: string;
  /** Size of the disk as the target has it; larger than the image's, so that the root must grow. */
  readonly diskSizeBytes: number;
}

export interface BootOptions {
  /** For this boot alone; holds the overlay, keys and logs. */
  readonly workDir: string;
  readonly scope: Scope;
  readonly signal: AbortSignal;
  readonly limitMs: number;
  /** Default: 10 minutes without a line on the console. */
  readonly silenceLimitMs?: number;
}

/** An image that boots from first-boot data. The image itself is not changed. */
export interface BootingImage {
  readonly watched: WatchedMachine;
  /** How its user gets in; undefined until it has printed its host key. */
  readonly address: () => SshAddress | undefined;
  /**
   * Waits until it lets its user in.
   *
   * @throws KvmimgError `wait-limit` with the first-boot requests and the last serial lines; `machine-exit`,
   *   `guest-panic`, `guest-silent`.
   */
  readonly enter: () => Promise<BootedImage>;
}

/** One that has booted and lets its user in. */
export interface BootedImage {
  readonly guest: SshSession;
  readonly address: SshAddress;
  readonly watched: WatchedMachine;
  readonly secondsToLogin: number;
}

const commandLimitMs = 10 * 60_000;
const defaultSilenceLimitMs = 10 * 60_000;

/** Boots an image and enters it. @throws KvmimgError as `startImage` and its `enter` do. */
export async function bootImage(request: BootRequest, options: BootOptions): Promise<BootedImage> {
  const image = await startImage(request, options);
  return image.enter();
}

/**
 * Boots a throw-away overlay of an image with a NoCloud seed served by HTTP and announced by SMBIOS, as an
 * administrator would on bare metal. It is entered as the user that the seed declares. The host key is the one that the
 * image made and printed on its console, so the first connection is verified.
 *
 * @throws KvmimgError `qemu-start`.
 */
export async function startImage(request: BootRequest, options: BootOptions): Promise<BootingImage> {
  const { scope, workDir, limitMs } = options;
  const userKey = await makeSshKeyPair(workDir, 'user-key', options.signal);
  const server = await serveFirstBoot(request, userKey.publicKey, scope);
  const startMs = performance.now();
  const { watched, hostKey } = await startOverlay(request, server, options);
  const witness = (): Evidence[] => [
    {
      title: 'First-boot requests',
      lines: server.requests().map(({ method, path, status }) => `${method} ${path} ${status}`),
    },
    { title: 'Serial console', lines: watched.machine.lastSerialLines(15) },
  ];
  const address = (): SshAddress | undefined => {
    const hostPublicKey = hostKey();
    if (hostPublicKey === undefined) return undefined;
    const { privateKeyPath } = userKey;
    return { port: watched.machine.sshPort ?? 0, user: request.user, privateKeyPath, hostPublicKey };
  };
  const enter = async (): Promise<BootedImage> => {
    const { signal } = watched;
    const known = await waitUntil({
      subject: 'the booted image to print its SSH host key on the console',
      hint: 'cloud-init prints it at the end of the first boot: did it find its first-boot data?',
      limitMs,
      intervalMs: 100,
      signal,
      check: address,
      witness,
    });
    const guest = await connectSsh(known, { workDir, scope, signal, limitMs, witness });
    return { guest, address: known, watched, secondsToLogin: (performance.now() - startMs) / 1000 };
  };
  return { watched, address, enter };
}

function serveFirstBoot(
  { hostname, user, hardware }: BootRequest,
  publicKey: string,
  scope: Scope,
): Promise<SeedServer> {
  const seed = makeNoCloudSeed({ instanceId: randomUUID(), hostname, user, publicKey });
  const handle = ({ path }: { readonly path: string }) => {
    const body = seed.get(path.slice('nocloud/'.length));
    return body === undefined ? { status: 404 } : { status: 200, body };
  };
  const hostAddress = hardware.guestNetwork?.hostAddress;
  return startSeedServer({ scope, ...(hostAddress && { hostAddress }), routes: [{ prefix: 'nocloud', handle }] });
}

/** The running overlay, and the host key that it has printed, once it has. */
async function startOverlay(
  request: BootRequest,
  server: SeedServer,
  { workDir, scope, signal, silenceLimitMs = defaultSilenceLimitMs }: BootOptions,
): Promise<{ readonly watched: WatchedMachine; readonly hostKey: () => string | undefined }> {
  const overlay = join(workDir, 'overlay.qcow2');
  const { path, format } = request.image;
  const backing = { path: resolve(path), format };
  await createDisk({ path: overlay, format: 'qcow2', sizeBytes: request.diskSizeBytes, backing });
  const { bus, nic, guestNetwork, ...machine } = request.hardware;
  let hostKey: string | undefined;
  const watched = await startWatchedMachine(
    {
      ...machine,
      disks: [{ path: overlay, format: 'qcow2', bus, cache: 'unsafe' }],
      network: { nic, sshForward: true, ...(guestNetwork && { guestNetwork }) },
      smbiosSystemSerial: `ds=nocloud;s=${server.guestUrl('nocloud/')}`,
      noReboot: false,
    },
    {
      workDir: join(workDir, 'machine'),
      scope,
      signal,
      silenceLimitMs,
      onSerialLine: (line) => {
        hostKey ??= /ssh-ed25519 [A-Za-z0-9+/]{60,}=*/.exec(line)?.[0];
      },
    },
  );
  return { watched, hostKey: () => hostKey };
}

/** Waits for the first boot to be complete. @throws KvmimgError `first-boot` with what failed. */
export async function waitForFirstBoot(booted: BootedImage): Promise<void> {
  const { signal } = booted.watched;
  // Exit code 2 is a recoverable warning of cloud-init; 1 is a failure.
  const status = await booted.guest.runAsRoot(['cloud-init', 'status', '--wait', '--long'], {
    signal,
    okExitCodes: [0, 1, 2],
    timeoutMs: commandLimitMs,
  });
  if (status.exitCode === 1) {
    throw new KvmimgError({
      code: 'first-boot',
      message: "cloud-init failed in the image's first boot.",
      evidence: [{ title: 'cloud-init status', lines: status.stdout.trim().split('\n') }],
    });
  }
}
