import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { Arch } from '../recipe/schema.ts';
import { type Memory, readMemory } from './memory.ts';
import { type OperatingSystem, parseOsRelease } from './os-release.ts';
import { findPackageManager, type PackageManager } from './packages.ts';
import { findProgram } from './programs.ts';

/** Where facts about a host come from; given as an argument so that tests can describe another host. */
export interface HostSource {
  readonly platform: NodeJS.Platform;
  readonly arch: Arch;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Stands for `/` in paths such as `/etc/os-release`. */
  readonly root: string;
  /** Undefined where there are no users (Windows). */
  readonly userId: number | undefined;
}

export interface HostFacts {
  readonly os: OperatingSystem;
  readonly arch: Arch;
  readonly cpus: number;
  readonly memory: Memory;
  readonly packageManager: PackageManager | undefined;
  readonly isRoot: boolean;
  /** Absolute path of sudo. */
  readonly sudo: string | undefined;
}

/** The host that kvmimg runs on. */
export const thisHost: HostSource = {
  platform: process.platform,
  arch: process.arch === 'arm64' ? 'arm64' : 'amd64',
  env: process.env,
  root: '/',
  userId: process.getuid?.(),
};

export async function readHostFacts(host: HostSource = thisHost): Promise<HostFacts> {
  const os = await readOperatingSystem(host);
  const [memory, packageManager, sudo] = await Promise.all([
    readMemory(host.root),
    findPackageManager(os, host.env),
    findProgram('sudo', host.env),
  ]);
  const isRoot = host.userId === 0;
  return { os, arch: host.arch, cpus: availableParallelism(), memory, packageManager, isRoot, sudo };
}

async function readOperatingSystem({ platform, root }: HostSource): Promise<OperatingSystem> {
  if (platform === 'darwin') return { platform, id: 'macos', idLike: [], version: '', title: 'macOS' };
  const files = ['etc/os-release', 'usr/lib/os-release'].map((file) => join(root, file));
  const texts = await Promise.all(files.map((file) => readFile(file, 'utf8').catch(() => '')));
  return parseOsRelease(texts.find((text) => text !== '') ?? '', platform);
}
