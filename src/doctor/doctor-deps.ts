import { KvmimgError } from '../errors.ts';
import { type HostSource, thisHost } from '../host/facts.ts';
import { readFolderFacts } from '../host/folder-facts.ts';
import { findAccelObstacle, probeAccel } from '../machine/accel/probe-accel.ts';
import { findFirmware } from '../machine/firmware.ts';
import type { Arch } from '../recipe/schema.ts';
import type { AccelFinding } from './check.ts';
import { askYesNo } from './question.ts';
import type { DoctorDeps } from './run-doctor.ts';

export interface DoctorSetting {
  readonly cacheDir: string;
  readonly outputDir: string;
  readonly signal: AbortSignal;
  readonly write: (line: string) => void;
  readonly log: (line: string) => void;
  /** Default: the host's own, which is the only one that can be accelerated. */
  readonly arch?: Arch;
  /** Default: this one. */
  readonly host?: HostSource;
}

/** A doctor for a host with real machines, and with questions where there is a terminal. */
export function makeDoctorDeps(setting: DoctorSetting): DoctorDeps {
  const { host = thisHost, signal, ...rest } = setting;
  const arch = setting.arch ?? host.arch;
  const hasTerminal = process.stdin.isTTY && process.stderr.isTTY;
  return {
    ...rest,
    host,
    arch,
    signal,
    readFolder: readFolderFacts,
    findAccel: (binary) => proveAccel({ host, arch, binary, signal }),
    findUefiFirmware: () => findFirmwarePath(arch),
    ask: hasTerminal ? (question) => askYesNo(question, signal) : undefined,
  };
}

/** What `--accel auto` would choose, asked of a guest now: what was true when the cache was written may be no more. */
async function proveAccel(subject: {
  readonly host: HostSource;
  readonly arch: Arch;
  readonly binary: string;
  readonly signal: AbortSignal;
}): Promise<AccelFinding> {
  const accel = subject.host.platform === 'darwin' ? 'hvf' : 'kvm';
  const obstacle = await findAccelObstacle(accel, subject.arch, subject.host);
  const { works, reason } = obstacle ?? (await probeAccel({ accel, ...subject }));
  return { accel: works ? accel : 'tcg', reason };
}

async function findFirmwarePath(arch: Arch): Promise<string | undefined> {
  try {
    return (await findFirmware(arch)).codePath;
  } catch (error) {
    if (error instanceof KvmimgError && error.code === 'firmware-missing') return undefined;
    throw error;
  }
}
