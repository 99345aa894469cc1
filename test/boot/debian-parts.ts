import { access, mkdir, mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { run } from '../../src/process/run.ts';

/** What the tiny installer takes from Debian: a kernel, a few of its modules, and busybox. */
export interface DebianParts {
  /** As Debian packs it (bzImage). */
  readonly kernelPath: string;
  /** The same kernel unpacked (ELF with a PVH note), which spares 6 of 10 seconds under emulation. BIOS only. */
  readonly unpackedKernelPath: string;
  /** In the order in which they load. */
  readonly modulePaths: readonly string[];
  readonly busyboxPath: string;
}

/** Each after those it needs. What a kernel has built in is not among its modules. */
const moduleNames = [
  ...['virtio_ring', 'virtio', 'virtio_pci_legacy_dev', 'virtio_pci_modern_dev', 'virtio_pci'],
  ...['failover', 'net_failover', 'virtio_net', 'virtio_blk'],
  ...['scsi_common', 'scsi_mod', 'cdrom', 'sr_mod', 'libata', 'libahci', 'ahci', 'virtio_scsi', 'isofs'],
] as const;

const minuteMs = 60_000;
const xzMagic = Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]);

let parts: Promise<DebianParts> | undefined;

/**
 * Fetches the parts by `apt-get download` from the host's own mirror into a folder for temporary files, where they stay
 * for the next run.
 */
export function fetchDebianParts(): Promise<DebianParts> {
  parts ??= fetchParts();
  return parts;
}

async function fetchParts(): Promise<DebianParts> {
  const kernelPackage = await findKernelPackage();
  const folder = join(tmpdir(), `kvmimg-tiny-installer-${process.getuid?.() ?? 0}-${kernelPackage}`);
  const names = await readdir(folder).catch(() => undefined);
  if (names === undefined) await fillFolder(folder, kernelPackage);
  return describeFolder(folder, names ?? (await readdir(folder)));
}

function describeFolder(folder: string, names: readonly string[]): DebianParts {
  const modules = moduleNames.map((name) => `${name}.ko`).filter((name) => names.includes(name));
  return {
    kernelPath: join(folder, 'vmlinuz'),
    unpackedKernelPath: join(folder, names.includes('vmlinux') ? 'vmlinux' : 'vmlinuz'),
    modulePaths: modules.map((name) => join(folder, name)),
    busyboxPath: join(folder, 'busybox'),
  };
}

/** The newest kernel of the host's release: `linux-image-amd64` depends on it. */
async function findKernelPackage(): Promise<string> {
  const { stdout } = await run('apt-cache', ['depends', 'linux-image-amd64']);
  const name = /^ *Depends: (linux-image-\S+)$/m.exec(stdout)?.[1];
  if (name === undefined) throw new Error('apt knows no linux-image-amd64: is this Debian, and are its lists fetched?');
  return name;
}

/** The folder appears whole, also when two runs fill it at once. */
async function fillFolder(folder: string, kernelPackage: string): Promise<void> {
  const work = await mkdtemp(`${folder}-`);
  try {
    await run('apt-get', ['download', 'busybox-static', kernelPackage], { cwd: work, timeoutMs: 5 * minuteMs });
    const debs = (await readdir(work)).filter((name) => name.endsWith('.deb'));
    const filled = join(work, 'filled');
    await mkdir(filled);
    for (const deb of debs) await unpackDeb(join(work, deb), join(work, 'root'));
    await gather(join(work, 'root'), filled);
    await access(join(filled, 'busybox'));
    await unpackKernel(join(filled, 'vmlinuz'), join(filled, 'vmlinux'));
    await rename(filled, folder).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
    });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** Of the 400 MB of a kernel package only what is wanted. */
async function unpackDeb(deb: string, root: string): Promise<void> {
  await mkdir(root, { recursive: true });
  const wanted = ['*/bin/busybox', './boot/vmlinuz-*', ...moduleNames.map((name) => `*/${name}.ko*`)];
  const script = 'deb=$1 root=$2; shift 2; dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$root" --wildcards "$@" || :';
  await run('sh', ['-c', script, 'sh', deb, root, ...wanted], { timeoutMs: 5 * minuteMs });
}

async function gather(root: string, folder: string): Promise<void> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  for (const entry of entries.filter((found) => found.isFile())) {
    const from = join(entry.parentPath, entry.name);
    if (entry.name.endsWith('.ko.xz')) await run('xz', ['-d', from]);
    const name = entry.name.startsWith('vmlinuz-') ? 'vmlinuz' : basename(entry.name, '.xz');
    await rename(from.replace(/\.xz$/, ''), join(folder, name));
  }
}

/** The payload of a bzImage (linux/Documentation/arch/x86/boot.rst) that Debian compresses with xz. */
async function unpackKernel(packed: string, unpacked: string): Promise<void> {
  const offset = (await readFile(packed)).indexOf(xzMagic);
  if (offset < 0) return;
  const script = 'tail -c "+$1" "$2" | xz -dc --single-stream >"$3"';
  await run('sh', ['-c', script, 'sh', String(offset + 1), packed, unpacked], { timeoutMs: minuteMs });
}
