import { spawn } from 'node:child_process';
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from '../../src/process/run.ts';
import { descendants, findExposedSockets, type OpenSocket } from './listening-sockets.ts';

export const repository = join(import.meta.dirname, '../..');

export const extensions = ['qcow2', 'raw', 'vmdk', 'ova'] as const;

export async function readManifest(path: string) {
  return JSON.parse(await readFile(path, 'utf8'));
}

export interface Finished {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly seconds: number;
  readonly exposed: readonly OpenSocket[];
  /** Command lines seen while it ran. */
  readonly commandLines: ReadonlySet<string>;
}

/** Runs a command of the repository with this cache, watching what its processes listen on and are called. */
export async function runWatched(
  program: string,
  args: readonly string[],
  cacheDir: string,
  env: Readonly<Record<string, string>> = {},
): Promise<Finished> {
  const startMs = performance.now();
  const child = spawn(program, args, {
    cwd: repository,
    env: { ...process.env, KVMIMG_CACHE_DIR: cacheDir, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exposed: OpenSocket[] = [];
  const commandLines = new Set<string>();
  const pid = child.pid ?? 0;
  const timer = setInterval(async () => {
    exposed.push(...(await findExposedSockets(pid)));
    for (const each of await descendants(pid)) {
      commandLines.add((await readFile(`/proc/${each}/cmdline`, 'utf8').catch(() => '')).replaceAll('\0', ' '));
    }
  }, 5_000);
  let stdout = '';
  child.stdout.on('data', (piece) => {
    stdout += piece;
  });
  const exitCode = await new Promise<number | null>((resolve) => child.on('close', resolve));
  clearInterval(timer);
  return { exitCode, stdout, seconds: (performance.now() - startMs) / 1000, exposed, commandLines };
}

const pause = (durationMs: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, durationMs));

export interface Disturbed {
  readonly exitCode: number | null;
  /** Standard error. */
  readonly said: string;
  /** From the disturbance to the end. */
  readonly seconds: number;
  /** Work folders, locks, outputs, processes. */
  readonly left: readonly string[];
}

/**
 * A folder of templates with a change to one of them, gone when the work has ended.
 *
 * @param path such as `preseed/debian.cfg`; the change must be one.
 */
export async function withChangedTemplate<T>(
  path: string,
  change: (text: string) => string,
  work: (env: Readonly<Record<string, string>>) => Promise<T>,
): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'kvmimg-templates-'));
  try {
    await cp(join(repository, 'preseed'), join(folder, 'preseed'), { recursive: true });
    const text = await readFile(join(folder, path), 'utf8');
    const changed = change(text);
    if (changed === text) throw new Error(`${path} is not what the test changes`);
    await writeFile(join(folder, path), changed);
    return await work({ KVMIMG_TEMPLATES_DIR: folder });
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Starts a build of debian-13 with the real QEMU and does something to it five seconds after its machine has started. */
export async function buildAndDisturb(
  cacheDir: string,
  disturb: (pid: number) => void | Promise<void>,
  env: Readonly<Record<string, string>> = {},
): Promise<Disturbed> {
  const outDir = join(await mkdtemp(join(tmpdir(), 'kvmimg-disturbed-')), 'out');
  const args = ['dist/main.js', 'build', 'debian-13', '--no-cache', '--log-format', 'plain', '-o', outDir];
  const child = spawn('node', args, {
    cwd: repository,
    env: { ...process.env, KVMIMG_CACHE_DIR: cacheDir, ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.on('data', (piece) => {
    said += piece;
  });
  const closed = new Promise<number | null>((resolve) => child.on('close', resolve));
  while (!said.includes('Run the installer') && child.exitCode === null) await pause(100);
  await pause(5_000);
  const disturbedMs = performance.now();
  await disturb(child.pid ?? 0);
  const exitCode = await closed;
  const seconds = (performance.now() - disturbedMs) / 1000;
  const processes = (await run('ps', ['-eo', 'args'])).stdout.split('\n');
  const left = [
    ...(await readdir(join(cacheDir, 'work'))),
    ...(await readdir(join(cacheDir, 'locks'))),
    ...(await readdir(outDir).catch(() => [])),
    ...processes.filter((line) => line.includes('qemu') && line.includes(cacheDir)),
  ];
  await rm(join(outDir, '..'), { recursive: true, force: true });
  return { exitCode, said, seconds, left };
}
