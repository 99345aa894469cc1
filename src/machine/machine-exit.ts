import type { ProcessExit } from '../process/start.ts';
import type { QmpEvent } from './qmp.ts';

/** How a machine ended. */
export type MachineExitKind =
  | 'guest-shutdown'
  | 'guest-reset'
  | 'guest-panic'
  /** The host could not read or write the disk image. */
  | 'disk-error'
  /** The same, because no space is left. */
  | 'no-space'
  /** kvmimg asked QEMU to end. */
  | 'quit'
  | 'crashed'
  | 'killed';

export interface MachineExit {
  readonly kind: MachineExitKind;
  readonly exitCode: number | undefined;
  readonly signal: NodeJS.Signals | undefined;
  /** A sentence that says how it ended. */
  readonly description: string;
  /** The last lines that QEMU itself wrote. */
  readonly lastLines: readonly string[];
}

/** What makes a machine useless while its process still runs. */
export interface MachineFault {
  readonly kind: 'guest-panic' | 'disk-error' | 'no-space' | 'crashed';
  readonly description: string;
}

const crashSignals: readonly (string | undefined)[] = ['SIGSEGV', 'SIGABRT', 'SIGBUS', 'SIGILL', 'SIGFPE', 'SIGSYS'];

const shutdownReasons: Readonly<Record<string, readonly [MachineExitKind, string]>> = {
  'guest-shutdown': ['guest-shutdown', 'The guest powered off.'],
  'guest-reset': ['guest-reset', 'The guest rebooted.'],
  'guest-panic': ['guest-panic', "The guest's kernel panicked."],
  'host-qmp-quit': ['quit', 'kvmimg ended the machine.'],
  'host-signal': ['killed', 'QEMU was told to end by a signal.'],
};

/** @param shutdownReason of QEMU's SHUTDOWN event, if it came. */
export function makeMachineExit(
  exit: ProcessExit,
  fault: MachineFault | undefined,
  shutdownReason: string | undefined,
): MachineExit {
  const [kind, description] = fault ? [fault.kind, fault.description] : classify(exit, shutdownReason);
  return { kind, description, exitCode: exit.exitCode, signal: exit.signal, lastLines: exit.lastLines };
}

function classify(exit: ProcessExit, shutdownReason: string | undefined): readonly [MachineExitKind, string] {
  if (crashSignals.includes(exit.signal)) return ['crashed', `QEMU crashed (${exit.signal}).`];
  if (exit.signal !== undefined) return ['killed', `QEMU was ended by ${exit.signal}.`];
  if (exit.exitCode !== 0) return ['crashed', `QEMU failed with exit code ${exit.exitCode}.`];
  const reason = shutdownReason ?? 'unknown';
  return shutdownReasons[reason] ?? ['crashed', `QEMU ended without a word from the guest (${reason}).`];
}

/** The fault that an event reports, after which nothing good can come. */
export function findFault({ event, data }: QmpEvent): MachineFault | undefined {
  if (event === 'GUEST_PANICKED') return { kind: 'guest-panic', description: "The guest's kernel panicked." };
  if (event !== 'BLOCK_IO_ERROR') return undefined;
  if (data.nospace === true) return { kind: 'no-space', description: 'No space is left on the disk of the host.' };
  return {
    kind: 'disk-error',
    description: `The host could not ${data.operation} the disk image: ${data.reason}.`,
  };
}
