import type { HostSource } from '../host/facts.ts';
import type { FolderFacts } from '../host/folder-facts.ts';
import type { Arch } from '../recipe/schema.ts';

export type CheckStatus = 'ok' | 'missing' | 'warning';

/** One thing that a build needs from the host. `missing` means that a build cannot work; with a `warning` it can. */
export interface Check {
  readonly item: string;
  readonly status: CheckStatus;
  /** The version and path that were found, or what is wrong. */
  readonly found: string;
  /** Why a build needs it. */
  readonly why: string;
  /** The command that cures it, to be pasted into a shell; undefined when it is well or no command helps. */
  readonly command?: string;
  /** The packages that cure it, for `--fix`; none when it is a matter of packages but this host's manager has none. */
  readonly packages?: readonly string[];
}

/** The accelerator that builds will use on this host. */
export interface AccelFinding {
  readonly accel: 'kvm' | 'hvf' | 'tcg';
  /** A sentence: what was tried and what came of it. */
  readonly reason: string;
}

export interface Examination {
  /** Nothing is missing: a build can start. */
  readonly ready: boolean;
  /** Undefined without a QEMU that could be asked. */
  readonly accel: AccelFinding['accel'] | undefined;
  readonly checks: readonly Check[];
}

/** What is examined, and those who know about machines. */
export interface ExaminationDeps {
  readonly host: HostSource;
  /** Architecture of the images to build. */
  readonly arch: Arch;
  readonly cacheDir: string;
  readonly outputDir: string;
  readonly readFolder: (path: string) => Promise<FolderFacts>;
  /** Starts a guest to find out, and keeps what it found for builds; must end within 4 seconds. */
  readonly findAccel: (qemuPath: string) => Promise<AccelFinding>;
  /** Path of the UEFI firmware that a machine would get. */
  readonly findUefiFirmware: () => Promise<string | undefined>;
}
