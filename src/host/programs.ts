import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { programMissing, run } from '../process/run.ts';
import type { Arch } from '../recipe/schema.ts';
import type { HostSource } from './facts.ts';

/** What QEMU calls an architecture. */
export const qemuArches = { amd64: 'x86_64', arm64: 'aarch64' } as const satisfies Record<Arch, string>;

/** Absolute path of a program on the PATH. */
export async function findProgram(name: string, env: HostSource['env']): Promise<string | undefined> {
  const folders = (env.PATH ?? '').split(delimiter).filter((folder) => folder !== '');
  return findExecutable(folders.map((folder) => join(folder, name)));
}

/** @throws KvmimgError `program-missing` for the first that is not on the PATH. */
export async function checkPrograms(names: readonly string[], env: HostSource['env']): Promise<void> {
  for (const name of names) if ((await findProgram(name, env)) === undefined) throw programMissing(name);
}

/**
 * Absolute path of the system emulator for an architecture. Enterprise Linux packages only the host's own, as
 * `/usr/libexec/qemu-kvm`, which no PATH holds.
 */
export async function findQemuSystem(arch: Arch, host: HostSource): Promise<string | undefined> {
  const onPath = await findProgram(`qemu-system-${qemuArches[arch]}`, host.env);
  if (onPath !== undefined || arch !== host.arch) return onPath;
  return findExecutable([join(host.root, 'usr/libexec/qemu-kvm')]);
}

/** The version that a program tells in answer to `args`; undefined when it tells none within 3 seconds. */
export async function readVersion(program: string, args: readonly string[]): Promise<string | undefined> {
  const output = await run(program, args, { timeoutMs: 3_000 }).catch(() => undefined);
  return output && findVersion(`${output.stdout}\n${output.stderr}`);
}

/** The first number such as `7.2.22` or, for OpenSSH, `9.2p1`, in what a program says about itself. */
export function findVersion(text: string): string | undefined {
  return /(?<![\w.])(?:OpenSSH_)?(\d+\.\d+(?:\.\d+)*(?:p\d+)?)/.exec(text)?.[1];
}

/** Whether `version` is `minimum` or newer, number by number. */
export function isVersionAtLeast(version: string, minimum: string): boolean {
  const [actual, least] = [version, minimum].map((text) => text.split('.').map((part) => Number.parseInt(part, 10)));
  for (const [index, wanted] of (least ?? []).entries()) {
    const number = actual?.[index] ?? 0;
    if (number !== wanted) return number > wanted;
  }
  return true;
}

async function findExecutable(paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths) {
    const executable = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (executable && (await stat(path)).isFile()) return path;
  }
  return undefined;
}
