import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type { DiskImage } from '../disk/disk-image.ts';
import { createDisk } from '../disk/qemu-img.ts';
import { KvmimgError } from '../errors.ts';
import { makeSshKeyPair } from '../guest/ssh-keys.ts';
import { connectSsh, type SshSession } from '../guest/ssh-session.ts';
import type { Scope } from '../lifecycle/scope.ts';
import type { MachineDisk, MachineNetwork, MachineSpec } from '../machine/machine-spec.ts';
import { startWatchedMachine, type WatchedMachine } from '../machine/machine-watch.ts';
import { startSeedServer } from '../seed-server/seed-server.ts';
import { makeNoCloudSeed } from './nocloud-seed.ts';

/** The machine that an image is booted on: everything but its disks and its first-boot data. */
export type BootHardware = Pick<MachineSpec, 'arch' | 'accel' | 'cpuModel' | 'cpus' | 'memoryBytes' | 'firmware'> & {
  readonly bus: MachineDisk['bus'];
  readonly nic: MachineNetwork['nic'];
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
}

/** An image that has booted from first-boot data and lets its user in. The image itself is not changed. */
export interface BootedImage {
  readonly guest: SshSession;
  readonly watched: WatchedMachine;
  /** Host key that the image made for itself is not among these: the seed gives the one that the login verifies. */
  readonly secondsToLogin: number;
}

const silenceLimitMs = 10 * 60_000;

/**
 * Boots a throw-away overlay of an image with a NoCloud seed served by HTTP and announced by SMBIOS, as an
 * administrator would on bare metal, and logs in as the user that the seed declares.
 *
 * @throws KvmimgError `wait-limit`, `machine-exit`, `guest-panic`, with the last serial lines.
 */
export async function bootImage(request: BootRequest, options: BootOptions): Promise<BootedImage> {
  const { scope, workDir } = options;
  const [userKey, hostKey] = await Promise.all([
    makeSshKeyPair(workDir, 'user-key', options.signal),
    makeSshKeyPair(workDir, 'host-key', options.signal),
  ]);
  const seed = makeNoCloudSeed({
    instanceId: randomUUID(),
    hostname: request.hostname,
    user: request.user,
    publicKey: userKey.publicKey,
    hostKey,
  });
  const server = await startSeedServer({
    scope,
    routes: [
      {
        prefix: 'nocloud',
        handle: ({ path }) => {
          const body = seed.get(path.slice('nocloud/'.length));
          return body === undefined ? { status: 404 } : { status: 200, body };
        },
      },
    ],
  });
  const overlay = join(workDir, 'overlay.qcow2');
  await createDisk({ path: overlay, format: 'qcow2', sizeBytes: request.diskSizeBytes, backing: request.image });
  const { bus, nic, ...machine } = request.hardware;
  const startMs = performance.now();
  const watched = await startWatchedMachine(
    {
      ...machine,
      disks: [{ path: overlay, format: 'qcow2', bus, cache: 'unsafe' }],
      network: { nic, sshForward: true },
      smbiosSystemSerial: `ds=nocloud;s=${server.guestUrl('nocloud/')}`,
      noReboot: false,
    },
    { workDir: join(workDir, 'machine'), scope, signal: options.signal, silenceLimitMs },
  );
  const guest = await connectSsh(
    {
      port: watched.machine.sshPort ?? 0,
      user: request.user,
      privateKeyPath: userKey.privateKeyPath,
      hostPublicKey: hostKey.publicKey,
    },
    {
      scope,
      signal: watched.signal,
      limitMs: options.limitMs,
      witness: () => [
        {
          title: 'First-boot requests',
          lines: server.requests().map((seen) => `${seen.method} ${seen.path} ${seen.status}`),
        },
        { title: 'Serial console', lines: watched.machine.lastSerialLines(15) },
      ],
    },
  );
  return { guest, watched, secondsToLogin: (performance.now() - startMs) / 1000 };
}

/** Waits for the first boot to be complete. @throws KvmimgError `first-boot` with what failed. */
export async function waitForFirstBoot(booted: BootedImage): Promise<void> {
  const { signal } = booted.watched;
  // Exit code 2 is a recoverable warning of cloud-init; 1 is a failure.
  const status = await booted.guest.runAsRoot(['cloud-init', 'status', '--wait', '--long'], {
    signal,
    okExitCodes: [0, 1, 2],
  });
  if (status.exitCode === 1) {
    throw new KvmimgError({
      code: 'first-boot',
      message: "cloud-init failed in the image's first boot.",
      evidence: [{ title: 'cloud-init status', lines: status.stdout.trim().split('\n') }],
    });
  }
}
