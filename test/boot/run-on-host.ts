import { chmod, cp, mkdir, mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { run } from '../../src/process/run.ts';
import { fetchDebianParts } from './debian-parts.ts';
import { isoMedia } from './make-media.ts';
import { type InstallerFamily, installerFolder, type Scenario } from './tiny-initrd.ts';

/** What the installer finds where it runs. */
export interface Surroundings {
  readonly family: InstallerFamily;
  readonly kernelArguments: string;
  readonly scenario?: Scenario;
  readonly volumeId?: string;
  /** Names of the medium's files that are not there, or contents in place of the usual ones. */
  readonly medium?: Readonly<Record<string, string | undefined>>;
  readonly productSerial?: string;
  readonly console?: string;
}

export interface HostRun {
  readonly exitCode: number;
  readonly output: string;
  /** The start of the disk, 2 MiB. */
  readonly disk: Uint8Array;
}

const volumeIdOffset = 16 * 2048 + 40;
const diskBytes = 2 * 1024 * 1024;

/**
 * Runs the tiny installer's own script with busybox on the host, its system's trees made up in a folder: what it takes
 * and what it refuses is tried in milliseconds, and what only a machine can show is left to the boots.
 */
export async function runOnHost(dir: string, surroundings: Surroundings): Promise<HostRun> {
  const root = await mkdtemp(join(dir, 'root-'));
  await writeAll(root, systemFiles(surroundings));
  const here = join(root, 'installer');
  const { busyboxPath } = await fetchDebianParts();
  await copyInstaller(here, busyboxPath);
  const { exitCode, stdout, stderr } = await run(busyboxPath, ['sh', join(here, `${surroundings.family}.sh`)], {
    env: { TINY_ROOT: root, TINY_HERE: here, TINY_WORK: join(root, 'work'), TINY_BUSYBOX: busyboxPath },
    okExitCodes: [0, 1, 10],
    timeoutMs: 20_000,
  });
  return { exitCode, output: stdout + stderr, disk: await readFile(join(root, 'dev/vda')) };
}

function systemFiles(surroundings: Surroundings): Map<string, string | Uint8Array> {
  const medium = isoMedia[surroundings.family];
  const onMedium = { ...medium.files, ...surroundings.medium };
  const iso = Buffer.alloc(volumeIdOffset + 32, ' ');
  iso.write(surroundings.volumeId ?? medium.volumeId, volumeIdOffset);
  return new Map<string, string | Uint8Array>([
    ['proc/cmdline', `${surroundings.kernelArguments}\n`],
    ['tiny-scenario', `${surroundings.scenario ?? 'installs'}\n`],
    ['sys/block/vda/serial', 'kvmimg-root'],
    ['sys/block/vdb/serial', 'another'],
    ['sys/block/sr0/size', '1'],
    ['sys/class/net/eth0/address', '52:54:00:12:34:56\n'],
    ['sys/class/dmi/id/product_serial', `${surroundings.productSerial ?? ''}\n`],
    ['sys/devices/virtual/tty/console/active', `${surroundings.console ?? 'ttyS0'}\n`],
    ['dev/sr0', iso],
    ['dev/vda', Buffer.alloc(diskBytes)],
    ['dev/vdb', Buffer.alloc(diskBytes)],
    ...medium.initrdFiles.map(({ path, content }) => [path, content] as const),
    ...Object.entries(onMedium).flatMap(([name, content]) =>
      content === undefined ? [] : [[`mnt/sr0/${name}`, content] as const],
    ),
  ]);
}

async function writeAll(root: string, files: ReadonlyMap<string, string | Uint8Array>): Promise<void> {
  for (const [name, content] of files) {
    await mkdir(dirname(join(root, name)), { recursive: true });
    await writeFile(join(root, name), content);
  }
}

/** The programs that stand in for others name the guest's busybox in their first line. */
async function copyInstaller(here: string, busyboxPath: string): Promise<void> {
  await cp(installerFolder, here, { recursive: true });
  for (const name of await readdir(join(here, 'bin'))) {
    const path = join(here, 'bin', name);
    await writeFile(path, (await readFile(path, 'utf8')).replace('#!/bin/busybox', `#!${busyboxPath}`));
    await chmod(path, 0o755);
  }
}
