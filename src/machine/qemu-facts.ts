import { KvmimgError } from '../errors.ts';
import { type HostSource, thisHost } from '../host/facts.ts';
import { findQemuSystem } from '../host/programs.ts';
import { run } from '../process/run.ts';
import type { Arch } from '../recipe/schema.ts';
import { qemuBinaryOf } from './machine-spec.ts';
import type { QemuAbilities } from './qemu-args.ts';

export interface QemuFacts extends QemuAbilities {
  /** `7.2.22 (Debian 1:7.2+dfsg-7+deb12u18+b3)`. */
  readonly version: string;
}

const limitMs = 10_000;

/**
 * Asks a QEMU system program what it is. `-sandbox` before `-version` tells in one run of 15 ms whether the program was
 * built with seccomp: if not, it refuses.
 *
 * @throws KvmimgError `program-missing`, `program-failed`, `program-timeout`, `qemu-unknown`.
 */
export async function readQemuFacts(binary: string, signal?: AbortSignal): Promise<QemuFacts> {
  const options = { timeoutMs: limitMs, ...(signal ? { signal } : {}) };
  const sandboxed = await run(binary, ['-sandbox', 'on', '-version'], { ...options, okExitCodes: [0, 1] });
  const { stdout } = sandboxed.exitCode === 0 ? sandboxed : await run(binary, ['-version'], options);
  const version = /QEMU emulator version (.+)/.exec(stdout)?.[1]?.trim();
  if (version === undefined) {
    throw new KvmimgError({ code: 'qemu-unknown', message: `${binary} does not answer like QEMU to -version.` });
  }
  return { version, sandbox: sandboxed.exitCode === 0 };
}

/**
 * Absolute path of QEMU for an architecture.
 *
 * @throws KvmimgError `program-missing`.
 */
export async function findQemu(arch: Arch, host: HostSource = thisHost): Promise<string> {
  const path = await findQemuSystem(arch, host);
  if (path !== undefined) return path;
  throw new KvmimgError({
    code: 'program-missing',
    message: `${qemuBinaryOf(arch)} is not installed, or not on the PATH.`,
    hint: `Run \`kvmimg doctor --fix --arch ${arch}\` to install what is missing.`,
  });
}
