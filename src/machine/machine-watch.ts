import { KvmimgError } from '../errors.ts';
import { formatSeconds } from '../recipe/quantities.ts';
import { abortable } from '../wait/wait-until.ts';
import { type StartMachineOptions, startMachine } from './machine.ts';
import type { MachineExit } from './machine-exit.ts';
import type { MachineSpec } from './machine-spec.ts';
import type { RunningMachine } from './running-machine.ts';

/** A machine that fails what waits for it as soon as it can no longer do what it was started for. */
export interface WatchedMachine {
  readonly machine: RunningMachine;
  /** Aborted by the user's interrupt or with the KvmimgError of the first failure. */
  readonly signal: AbortSignal;
  readonly fail: (error: KvmimgError) => void;
  /** Puts off the silence alarm: the guest has shown that it lives. */
  readonly sign: () => void;
  /** From now on an exit is no failure. */
  readonly expectExit: () => void;
  /**
   * Waits for the guest's own power-off, or its reset where `mayReset` says at that time that it has done its work.
   *
   * @throws what `signal` is aborted with; KvmimgError `machine-exit`.
   */
  readonly untilPoweredOff: (mayReset?: () => boolean) => Promise<MachineExit>;
}

export interface WatchOptions extends StartMachineOptions {
  /** A failure that a serial line shows; `before` are the lines above it, oldest first. */
  readonly findSerialFailure?: (line: string, before: readonly string[]) => KvmimgError | undefined;
  /** A serial line that comes even when nothing happens. */
  readonly isIdleLine?: (line: string) => boolean;
  /** No sign of life for this long is a failure. */
  readonly silenceLimitMs: number;
}

/**
 * Starts a machine and watches it: a kernel panic, a failure on the serial console, QEMU's exit and silence each abort
 * `signal` at once.
 */
export async function startWatchedMachine(spec: MachineSpec, options: WatchOptions): Promise<WatchedMachine> {
  const failure = new AbortController();
  const fail = (error: KvmimgError): void => failure.abort(error);
  const life = watchSilence(options.silenceLimitMs, fail);
  options.scope.defer('silence alarm', life.stop);
  const before: string[] = [];
  const onSerialLine = (line: string): void => {
    if (!options.isIdleLine?.(line)) life.sign();
    options.onSerialLine?.(line);
    const found = findKernelFailure(line) ?? options.findSerialFailure?.(line, before);
    if (found) fail(found);
    before.push(line);
    if (before.length > 40) before.shift();
  };
  const machine = await startMachine(spec, { ...options, onSerialLine });
  let exitExpected = false;
  void machine.exited.then((exit) => {
    life.stop();
    if (!exitExpected) fail(exitFailure(exit));
  });
  const signal = AbortSignal.any([options.signal, failure.signal]);
  return {
    machine,
    signal,
    fail,
    sign: life.sign,
    expectExit: () => {
      exitExpected = true;
    },
    untilPoweredOff: async (mayReset = () => false) => {
      exitExpected = true;
      const exit = await abortable(machine.exited, signal);
      const isEnd = exit.kind === 'guest-shutdown' || (exit.kind === 'guest-reset' && mayReset());
      if (!isEnd) throw exitFailure(exit);
      return exit;
    },
  };
}

/** The failure of a machine that ended before its work was done. */
export function exitFailure(exit: MachineExit): KvmimgError {
  return new KvmimgError({
    code: exit.kind === 'disk-error' || exit.kind === 'no-space' ? exit.kind : 'machine-exit',
    message: exit.kind === 'guest-shutdown' ? 'The guest powered off before its work was done.' : exit.description,
    hint: exitHints[exit.kind],
    evidence: exit.lastLines.length > 0 ? [{ title: "QEMU's last lines", lines: exit.lastLines.slice(-10) }] : [],
  });
}

const exitHints: Readonly<Partial<Record<MachineExit['kind'], string>>> = {
  'disk-error':
    "Look at the kernel's log for errors of the device (`dmesg`). A build on another disk: KVMIMG_CACHE_DIR.",
  'no-space': 'Free space on the disk of the cache folder, or set KVMIMG_CACHE_DIR to a folder on another disk.',
  'guest-panic': 'Give the machine more memory (`--set memory=4GiB`), or try another accelerator (`--accel tcg`).',
  killed: 'Was it ended by hand, or by the kernel for want of memory? `dmesg` tells. Then build again.',
  crashed: 'Build again; if it happens again, try another accelerator (`--accel tcg`) or another QEMU.',
};

/** What a kernel says on the console when nothing more will come. */
function findKernelFailure(line: string): KvmimgError | undefined {
  if (!line.includes('Kernel panic - not syncing')) return undefined;
  return new KvmimgError({
    code: 'guest-panic',
    message: `The guest's kernel panicked: ${line.trim()}`,
    hint: exitHints['guest-panic'],
  });
}

function watchSilence(limitMs: number, onSilence: (error: KvmimgError) => void) {
  let lastSignMs = performance.now();
  const check = (): void => {
    if (performance.now() - lastSignMs < limitMs) return;
    onSilence(
      new KvmimgError({
        code: 'guest-silent',
        message: `The guest has given no sign of life for ${formatSeconds(limitMs / 1000)}: no log line, no request, no output.`,
        hint: 'The screenshot and the last lines show where it stopped. If it is only slow, give it more time: `--set limits.silence=30m`.',
      }),
    );
  };
  const timer = setInterval(check, Math.min(1_000, limitMs / 4));
  return {
    sign: () => {
      lastSignMs = performance.now();
    },
    stop: () => clearInterval(timer),
  };
}
