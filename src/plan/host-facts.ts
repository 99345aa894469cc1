import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { access, readdir, readFile, stat, statfs } from 'node:fs/promises';
import { arch, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import type { Distro } from '../distro/schema.ts';
import { messageOf, systemErrorCode } from '../errors.ts';
import { findHostMirrors, type HostMirrors } from '../host/apt-sources.ts';
import { packageRoot } from '../package-root.ts';

/** What is known about a folder that a build will write to, whether or not it exists yet. */
export interface FolderFacts {
  readonly path: string;
  /** Completes "cannot be written: …"; undefined where it can. */
  readonly obstacle: string | undefined;
  readonly freeBytes: number;
  /** Names the file system, to add up what goes onto the same one. */
  readonly fileSystem: number;
}

/** What a plan depends on besides recipe, distro and options. */
export interface HostFacts {
  /** As Node names them: `linux`, `x64`. */
  readonly platform: string;
  readonly arch: string;
  readonly memoryBytes: number;
  readonly mirrors: HostMirrors | undefined;
  readonly output: FolderFacts;
  readonly cache: FolderFacts;
  /** Those of the planned outputs that exist already. */
  readonly existingOutputs: readonly string[];
  readonly templatesSha256: string;
}

/** Folder of the answer file templates of a family. */
const templateFolders: Readonly<Record<Distro['family'], string>> = {
  debian: 'preseed',
  ubuntu: 'autoinstall',
  redhat: 'kickstart',
  photon: 'kickstart',
};

/** Reads the facts; it writes nothing, not even a folder. */
export async function readHostFacts(options: {
  readonly family: Distro['family'];
  readonly outputDir: string;
  readonly cacheDir: string;
  readonly outputPaths: readonly string[];
}): Promise<HostFacts> {
  const [mirrors, output, cache, existing, templatesSha256] = await Promise.all([
    findHostMirrors(),
    readFolderFacts(options.outputDir),
    readFolderFacts(options.cacheDir),
    Promise.all(options.outputPaths.map(exists)),
    hashTemplates(join(packageRoot, templateFolders[options.family])),
  ]);
  return {
    platform: process.platform,
    arch: arch(),
    memoryBytes: totalmem(),
    mirrors,
    output,
    cache,
    existingOutputs: options.outputPaths.filter((_, index) => existing[index]),
    templatesSha256,
  };
}

/** Of the folder itself, or of the nearest one above it that exists, in which it would be made. */
export async function readFolderFacts(path: string): Promise<FolderFacts> {
  const unknown = { path, freeBytes: 0, fileSystem: 0 };
  for (let folder = path; ; folder = dirname(folder)) {
    try {
      const stats = await stat(folder);
      if (!stats.isDirectory()) return { ...unknown, obstacle: `${folder} is not a folder` };
      const { bavail, bsize } = await statfs(folder);
      return { path, obstacle: await findObstacle(folder), freeBytes: bavail * bsize, fileSystem: stats.dev };
    } catch (error) {
      if (systemErrorCode(error) === 'ENOTDIR' || (systemErrorCode(error) === 'ENOENT' && folder !== dirname(folder))) {
        continue;
      }
      return { ...unknown, obstacle: messageOf(error) };
    }
  }
}

async function findObstacle(folder: string): Promise<string | undefined> {
  const reasons: Readonly<Record<string, string>> = {
    EACCES: `${folder} may not be written by this user`,
    EROFS: `${folder} is on a read-only file system`,
  };
  try {
    await access(folder, constants.W_OK | constants.X_OK);
    return undefined;
  } catch (error) {
    return reasons[systemErrorCode(error) ?? ''] ?? messageOf(error);
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

async function hashTemplates(folder: string): Promise<string> {
  const hash = createHash('sha256');
  for (const name of (await readdir(folder)).sort()) {
    hash.update(`${name}\0`).update(await readFile(join(folder, name)));
  }
  return hash.digest('hex');
}
