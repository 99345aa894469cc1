import { createHash } from 'node:crypto';
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ArchiveFile } from '../../src/media/cpio.ts';
import { run } from '../../src/process/run.ts';
import { fetchDebianParts } from './debian-parts.ts';
import { type InstallerFamily, makeTinyInitrd, type Scenario } from './tiny-initrd.ts';

export interface MediaOptions {
  /** Where the medium is written. */
  readonly dir: string;
  /** Default: `installs`. */
  readonly scenario?: Scenario;
  /** Default: one as the family's own media have it. */
  readonly volumeId?: string;
  /** Debian's kernel as it is packed, which UEFI needs, in place of the same kernel unpacked, which boots faster. */
  readonly packedKernel?: boolean;
  /** Files to leave out, to see what the installer says; below the medium's root. */
  readonly without?: readonly string[];
}

export interface IsoMedium {
  readonly path: string;
  readonly sha256: string;
  readonly sizeBytes: number;
  readonly volumeId: string;
}

export interface TreeMedium {
  /** The folder to be served; `.treeinfo` lies in it. */
  readonly path: string;
  readonly sha256: { readonly kernel: string; readonly initrd: string };
}

/** The uuid that casper's initrd and medium share. */
const casperUuid = '2f9cd8a5-6c1e-4a08-a5a0-3f2f0d5f7f10';

/** An ISO with the names of Ubuntu's live server. */
export function makeUbuntuIso(options: MediaOptions): Promise<IsoMedium> {
  return makeIso(options, isoMedia.ubuntu);
}

/** An ISO with the names of an Enterprise Linux DVD. */
export function makeRedhatIso(options: MediaOptions): Promise<IsoMedium> {
  return makeIso(options, isoMedia.redhat);
}

/** An ISO with the names of Photon OS's. */
export function makePhotonIso(options: MediaOptions): Promise<IsoMedium> {
  return makeIso(options, isoMedia.photon);
}

/** An installation tree such as a mirror's `BaseOS/x86_64/os`, to be served. */
export async function makeRedhatTree(options: MediaOptions): Promise<TreeMedium> {
  const medium = redhatMedium('');
  await fill(options.dir, options, medium);
  const digests = {
    kernel: await sha256(options.dir, medium.kernel),
    initrd: await sha256(options.dir, medium.initrd),
    stage2: await sha256(options.dir, 'images/install.img'),
  };
  await writeFile(join(options.dir, '.treeinfo'), treeinfo('.', digests));
  await leaveOut(options.dir, options);
  return { path: options.dir, sha256: digests };
}

/** What a medium of a family is made of. */
export interface Medium {
  readonly family: InstallerFamily;
  readonly volumeId: string;
  readonly kernel: string;
  readonly initrd: string;
  readonly files: Readonly<Record<string, string>>;
  readonly initrdFiles: readonly ArchiveFile[];
}

function redhatMedium(baseOs: string): Medium {
  const buildstamp =
    '[Main]\nProduct=Rocky Linux\nVersion=9.4\nBugURL=https://bugs.example/\nIsFinal=True\nUUID=202405050000.x86_64\n';
  return {
    family: 'redhat',
    volumeId: 'Rocky-9-4-x86_64-dvd',
    kernel: 'images/pxeboot/vmlinuz',
    initrd: 'images/pxeboot/initrd.img',
    files: {
      'images/install.img': 'tiny-installer: no stage 2\n',
      '.discinfo': '1714690401.000000\n9.4\nx86_64\n',
      '.treeinfo': treeinfo(baseOs === '' ? '.' : 'BaseOS'),
      [`${baseOs}repodata/repomd.xml`]: '<repomd/>\n',
      ...(baseOs === '' ? {} : { 'AppStream/repodata/repomd.xml': '<repomd/>\n' }),
    },
    initrdFiles: [{ path: '.buildstamp', mode: 0o644, content: buildstamp }],
  };
}

const ubuntuMedium: Medium = {
  family: 'ubuntu',
  volumeId: 'Ubuntu-Server 24.04.4 LTS amd64',
  kernel: 'casper/vmlinuz',
  initrd: 'casper/initrd',
  files: {
    'casper/ubuntu-server-minimal.squashfs': 'tiny-installer: no squashfs\n',
    'casper/install-sources.yaml': '- id: ubuntu-server\n  default: true\n  path: ubuntu-server-minimal.squashfs\n',
    '.disk/info': 'Ubuntu-Server 24.04.4 LTS "Noble Numbat" - Release amd64 (20260210)\n',
    '.disk/casper-uuid-generic': `${casperUuid}\n`,
  },
  initrdFiles: [{ path: 'conf/uuid.conf', mode: 0o644, content: `${casperUuid}\n` }],
};

const photonMedium: Medium = {
  family: 'photon',
  volumeId: 'PHOTON_20230427',
  kernel: 'isolinux/vmlinuz',
  initrd: 'isolinux/initrd.img',
  files: { 'RPMS/repodata/repomd.xml': '<repomd/>\n', 'isolinux/isolinux.cfg': 'timeout 0\n' },
  initrdFiles: [],
};

interface TreeDigests {
  readonly kernel: string;
  readonly initrd: string;
  readonly stage2: string;
}

/** productmd's format 1.2, as Enterprise Linux has it. */
function treeinfo(repository: string, digests?: TreeDigests): string {
  const checksums = digests && [
    '[checksums]',
    `images/install.img = sha256:${digests.stage2}`,
    `images/pxeboot/initrd.img = sha256:${digests.initrd}`,
    `images/pxeboot/vmlinuz = sha256:${digests.kernel}`,
    '',
  ];
  return [
    ...(checksums ?? []),
    ...['[general]', 'arch = x86_64', 'family = Rocky Linux', 'name = Rocky Linux 9.4', 'version = 9.4', ''],
    ...['[header]', 'type = productmd.treeinfo', 'version = 1.2', ''],
    ...['[images-x86_64]', 'initrd = images/pxeboot/initrd.img', 'kernel = images/pxeboot/vmlinuz', ''],
    ...['[release]', 'name = Rocky Linux', 'short = Rocky', 'version = 9.4', ''],
    ...['[stage2]', 'mainimage = images/install.img', ''],
    ...['[tree]', 'arch = x86_64', 'build_timestamp = 1714690401', 'platforms = x86_64,xen', 'variants = BaseOS', ''],
    ...['[variant-BaseOS]', 'id = BaseOS', 'name = BaseOS', 'type = variant', 'uid = BaseOS'],
    ...[`packages = ${repository}/Packages`, `repository = ${repository}`, ''],
  ].join('\n');
}

export const isoMedia: Readonly<Record<InstallerFamily, Medium>> = {
  ubuntu: ubuntuMedium,
  redhat: redhatMedium('BaseOS/'),
  photon: photonMedium,
};

async function makeIso(options: MediaOptions, medium: Medium): Promise<IsoMedium> {
  const volumeId = options.volumeId ?? medium.volumeId;
  await mkdir(options.dir, { recursive: true });
  const staging = await mkdtemp(join(options.dir, 'staging-'));
  const path = join(options.dir, `${medium.family}-${options.scenario ?? 'installs'}.iso`);
  try {
    await fill(staging, options, medium);
    await leaveOut(staging, options);
    const args = ['-as', 'mkisofs', '-quiet', '-R', '-J', '-joliet-long', '-V', volumeId, '-o', path, staging];
    await run('xorriso', args, { timeoutMs: 60_000 });
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
  const bytes = await readFile(path);
  return { path, volumeId, sizeBytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
}

async function fill(folder: string, options: MediaOptions, medium: Medium): Promise<void> {
  const parts = await fetchDebianParts();
  const initrd = await makeTinyInitrd({
    family: medium.family,
    scenario: options.scenario ?? 'installs',
    files: medium.initrdFiles,
  });
  for (const [name, content] of Object.entries({ ...medium.files, [medium.initrd]: initrd })) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), content);
  }
  await mkdir(dirname(join(folder, medium.kernel)), { recursive: true });
  await copyFile(options.packedKernel ? parts.kernelPath : parts.unpackedKernelPath, join(folder, medium.kernel));
}

async function leaveOut(folder: string, options: MediaOptions): Promise<void> {
  for (const name of options.without ?? []) await rm(join(folder, name), { recursive: true });
}

async function sha256(folder: string, name: string): Promise<string> {
  return createHash('sha256')
    .update(await readFile(join(folder, name)))
    .digest('hex');
}
