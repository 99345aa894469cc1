import { readFile } from 'node:fs/promises';
import { freemem, totalmem } from 'node:os';
import { join } from 'node:path';

export interface Memory {
  readonly totalBytes: number;
  /** What a new program can have without swapping; a container's limit counts. */
  readonly availableBytes: number;
}

/** `root` stands for `/`; where there is no `/proc/meminfo` the operating system's own figures are given. */
export async function readMemory(root = '/'): Promise<Memory> {
  const text = await readFile(join(root, 'proc/meminfo'), 'utf8').catch(() => '');
  const { MemTotal, MemAvailable } = parseMeminfo(text);
  const limitBytes = await readContainerLimit(root);
  const totalBytes = MemTotal ?? totalmem();
  return {
    totalBytes: Math.min(totalBytes, limitBytes),
    availableBytes: Math.min(MemAvailable ?? freeBytes(totalBytes), limitBytes),
  };
}

/** A Mac counts its file cache as used, so that hardly anything ever is free: half of the memory is a fair guess. */
function freeBytes(totalBytes: number): number {
  return process.platform === 'darwin' ? Math.max(freemem(), totalBytes / 2) : freemem();
}

function parseMeminfo(text: string): { readonly MemTotal?: number; readonly MemAvailable?: number } {
  const entries = [...text.matchAll(/^(\w+):\s+(\d+) kB$/gm)];
  return Object.fromEntries(entries.map(([, name, kibibytes]) => [name, Number(kibibytes) * 1024]));
}

/** The limit that cgroup v2, or v1, sets for this process; a container sees its own cgroup as the root. */
async function readContainerLimit(root: string): Promise<number> {
  const files = ['sys/fs/cgroup/memory.max', 'sys/fs/cgroup/memory/memory.limit_in_bytes'];
  const texts = await Promise.all(files.map((file) => readFile(join(root, file), 'utf8').catch(() => '')));
  const limits = texts.map((text) => text.trim()).filter((text) => /^\d+$/.test(text));
  return Math.min(Number.POSITIVE_INFINITY, ...limits.map(Number));
}
