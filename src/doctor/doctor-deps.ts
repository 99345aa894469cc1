import { KvmimgError } from '../errors.ts';
import { type HostSource, thisHost } from '../host/facts.ts';
import { readFolderFacts } from '../host/folder-facts.ts';
import { chooseAccelAnew } from '../machine/accel/choose-accel.ts';
import { findFirmware } from '../machine/firmware.ts';
import type { Arch } from '../recipe/schema.ts';
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
    findAccel: (binary) =>
      chooseAccelAnew({ choice: 'auto', ...{ arch, binary, host, signal }, cacheDir: rest.cacheDir }),
    findUefiFirmware: () => findFirmwarePath(arch),
    ask: hasTerminal ? (question) => askYesNo(question, signal) : undefined,
  };
}

async function findFirmwarePath(arch: Arch): Promise<string | undefined> {
  try {
    return (await findFirmware(arch)).codePath;
  } catch (error) {
    if (error instanceof KvmimgError && error.code === 'firmware-missing') return undefined;
    throw error;
  }
}
