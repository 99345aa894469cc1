import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { messageOf } from '../errors.ts';
import type { FolderFacts } from '../host/folder-facts.ts';
import type { Memory } from '../host/memory.ts';
import { formatSize } from '../recipe/quantities.ts';
import type { Check, ExaminationDeps } from './check.ts';

const gibibyte = 2 ** 30;
/** Installer media, packages and the layers of one build (debian-13: 1.2 GiB on disk before it is sealed). */
const cacheBytes = 4 * gibibyte;
/** The four formats of one such image. */
const outputBytes = 2.5 * gibibyte;
/** The guest's, as recipes have it by default; with room for QEMU and kvmimg. */
const leastMemoryBytes = 2 * gibibyte;
const goodMemoryBytes = 3 * gibibyte;

type SpaceDeps = Pick<ExaminationDeps, 'cacheDir' | 'outputDir' | 'readFolder'>;

/** Space for the cache and the output; where both are on one file system, for both. */
export async function checkSpace(deps: SpaceDeps): Promise<readonly Check[]> {
  const [cache, output] = await Promise.all([deps.readFolder(deps.cacheDir), deps.readFolder(deps.outputDir)]);
  const shared = cache.fileSystem === output.fileSystem;
  const cacheWhy = 'Installer media, packages and disks of a build are kept there.';
  const outputWhy = 'The image files go there.';
  return [
    judgeSpace(
      {
        item: 'Space for the cache',
        folder: deps.cacheDir,
        needed: cacheBytes + (shared ? outputBytes : 0),
        why: cacheWhy,
      },
      cache,
    ),
    judgeSpace({ item: 'Space for the output', folder: deps.outputDir, needed: outputBytes, why: outputWhy }, output),
  ];
}

interface SpaceNeed {
  readonly item: string;
  readonly folder: string;
  readonly needed: number;
  readonly why: string;
}

function judgeSpace({ item, folder, needed, why }: SpaceNeed, facts: FolderFacts): Check {
  if (facts.obstacle !== undefined) return { item, status: 'missing', found: facts.obstacle, why };
  const found = `${formatSize(facts.freeBytes)} free in ${folder}`;
  if (facts.freeBytes >= needed) return { item, status: 'ok', found, why };
  return { item, status: 'missing', found: `${found}; needed are ${formatSize(needed)}`, why };
}

export function checkMemory(memory: Memory): Check {
  const status =
    memory.availableBytes >= goodMemoryBytes ? 'ok' : memory.availableBytes >= leastMemoryBytes ? 'warning' : 'missing';
  const available = `${formatSize(memory.availableBytes)} available of ${formatSize(memory.totalBytes)}`;
  const found = status === 'ok' ? available : `${available}; needed are ${formatSize(goodMemoryBytes)}`;
  return { item: 'Memory', status, found, why: 'The machine that installs has 2 GiB.' };
}

/** The answer file is served, and the installer's log received, on a port of 127.0.0.1. */
export async function checkLoopback(): Promise<Check> {
  const item = 'Loopback';
  const why = 'The answer file is served, and the log of the installer received, on 127.0.0.1.';
  try {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    server.close();
    const socket = createSocket('udp4').bind(0, '127.0.0.1');
    await once(socket, 'listening');
    socket.close();
    return { item, status: 'ok', found: '127.0.0.1 takes TCP and UDP', why };
  } catch (error) {
    return { item, status: 'missing', found: `127.0.0.1 cannot be listened on: ${messageOf(error)}`, why };
  }
}
