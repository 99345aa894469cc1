import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Distro } from '../distro/schema.ts';
import { InputError } from '../errors.ts';
import { findHostMirrors, type HostMirrors } from '../host/apt-sources.ts';
import { type FolderFacts, isOtherThanFile, readFolderFacts } from '../host/folder-facts.ts';
import { readMemory } from '../host/memory.ts';
import { templateFolder, templatesDir } from '../package-root.ts';
import type { Arch } from '../recipe/schema.ts';
import { type DeliveredFile, readDelivered } from './delivered.ts';

/** The folders and files that a build is to use, which are looked at even where the recipe is wrong. */
export interface PlaceFacts {
  readonly output: FolderFacts;
  readonly cache: FolderFacts;
  /** Those of the planned outputs that exist already. */
  readonly existingOutputs: readonly string[];
  readonly manifestExists: boolean;
  /** Those of the planned outputs and their manifest where there is something that is no file. */
  readonly blockedOutputs: readonly string[];
  /** What the manifest in the output folder says of files that are there; undefined where it cannot be read. */
  readonly delivered: readonly DeliveredFile[] | undefined;
  /** Those given by `--media` that are no folder. */
  readonly missingMediaDirs: readonly string[];
}

/** What a plan depends on besides recipe, distro and options. */
export interface PlanFacts extends PlaceFacts {
  readonly platform: NodeJS.Platform;
  readonly arch: Arch;
  readonly memoryBytes: number;
  readonly mirrors: HostMirrors | undefined;
  /** SHA-256 of each answer file template of the family, by name. */
  readonly templates: Readonly<Record<string, string>>;
}

export interface PlaceFactsRequest {
  readonly outputDir: string;
  readonly cacheDir: string;
  readonly outputPaths: readonly string[];
  /** Undefined where nobody knows what the build is called. */
  readonly manifestPath: string | undefined;
  readonly mediaDirs: readonly string[];
}

/** Folder of the answer file templates of a family. */
const templateFolders: Readonly<Record<Distro['family'], string>> = {
  debian: 'preseed',
  ubuntu: 'autoinstall',
  redhat: 'kickstart',
  photon: 'photon',
};

/** Reads the facts; it writes nothing, not even a folder. @throws InputError for a folder of templates that has none. */
export async function readPlanFacts(family: Distro['family'], request: PlaceFactsRequest): Promise<PlanFacts> {
  checkTemplatesDir();
  const [places, mirrors, memory, templates] = await Promise.all([
    readPlaceFacts(request),
    findHostMirrors(),
    readMemory(),
    hashTemplates(templateFolder(templateFolders[family])),
  ]);
  const arch = process.arch === 'arm64' ? 'arm64' : 'amd64';
  return { ...places, platform: process.platform, arch, memoryBytes: memory.totalBytes, mirrors, templates };
}

/** Those that are known without a recipe. */
export async function readPlaceFacts(request: PlaceFactsRequest): Promise<PlaceFacts> {
  const { manifestPath } = request;
  const written = [...request.outputPaths, ...(manifestPath === undefined ? [] : [manifestPath])];
  const [output, cache, existing, blocked, manifestExists, delivered, mediaDirs] = await Promise.all([
    readFolderFacts(request.outputDir),
    readFolderFacts(request.cacheDir),
    Promise.all(request.outputPaths.map(exists)),
    Promise.all(written.map(isOtherThanFile)),
    manifestPath !== undefined && exists(manifestPath),
    manifestPath === undefined ? undefined : readDelivered(manifestPath),
    Promise.all(request.mediaDirs.map(isFolder)),
  ]);
  return {
    ...{ output, cache, manifestExists, delivered },
    existingOutputs: request.outputPaths.filter((_, index) => existing[index]),
    blockedOutputs: written.filter((_, index) => blocked[index]),
    missingMediaDirs: request.mediaDirs.filter((_, index) => !mediaDirs[index]),
  };
}

async function isFolder(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() ?? false;
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/** A misspelt folder must not go unnoticed. */
function checkTemplatesDir(): void {
  const folders = Object.values(templateFolders);
  if (folders.some((folder) => templateFolder(folder) === join(templatesDir, folder))) return;
  const message = `${templatesDir} has none of the folders ${folders.join(', ')}`;
  throw new InputError([{ place: 'KVMIMG_TEMPLATES_DIR', message, hint: 'Correct it, or unset it.' }]);
}

async function hashTemplates(folder: string): Promise<Record<string, string>> {
  const files = (await readdir(folder, { withFileTypes: true })).filter((entry) => entry.isFile());
  const entries = files.map(async ({ name }) => {
    const content = await readFile(join(folder, name));
    return [name, createHash('sha256').update(content).digest('hex')] as const;
  });
  return Object.fromEntries(await Promise.all(entries));
}
