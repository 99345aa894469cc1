import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Distro } from '../distro/schema.ts';
import { findHostMirrors, type HostMirrors } from '../host/apt-sources.ts';
import { type FolderFacts, readFolderFacts } from '../host/folder-facts.ts';
import { readMemory } from '../host/memory.ts';
import { templatesDir } from '../package-root.ts';
import type { Arch } from '../recipe/schema.ts';

/** What a plan depends on besides recipe, distro and options. */
export interface PlanFacts {
  readonly platform: NodeJS.Platform;
  readonly arch: Arch;
  readonly memoryBytes: number;
  readonly mirrors: HostMirrors | undefined;
  readonly output: FolderFacts;
  readonly cache: FolderFacts;
  /** Those of the planned outputs that exist already. */
  readonly existingOutputs: readonly string[];
  /** SHA-256 of the family's answer file templates. */
  readonly templatesSha256: string;
}

export interface PlanFactsRequest {
  readonly family: Distro['family'];
  readonly outputDir: string;
  readonly cacheDir: string;
  readonly outputPaths: readonly string[];
}

/** Folder of the answer file templates of a family. */
const templateFolders: Readonly<Record<Distro['family'], string>> = {
  debian: 'preseed',
  ubuntu: 'autoinstall',
  redhat: 'kickstart',
  photon: 'kickstart',
};

/** Reads the facts; it writes nothing, not even a folder. */
export async function readPlanFacts(request: PlanFactsRequest): Promise<PlanFacts> {
  const [mirrors, memory, output, cache, existing, templatesSha256] = await Promise.all([
    findHostMirrors(),
    readMemory(),
    readFolderFacts(request.outputDir),
    readFolderFacts(request.cacheDir),
    Promise.all(request.outputPaths.map(exists)),
    hashTemplates(join(templatesDir, templateFolders[request.family])),
  ]);
  return {
    platform: process.platform,
    arch: process.arch === 'arm64' ? 'arm64' : 'amd64',
    memoryBytes: memory.totalBytes,
    mirrors,
    output,
    cache,
    existingOutputs: request.outputPaths.filter((_, index) => existing[index]),
    templatesSha256,
  };
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
