import { InterruptedError } from '../errors.ts';

const kills = new Set<() => void>();

/**
 * Registers a synchronous last resort (kill a process group, remove a socket) that runs, newest first, on a second
 * Ctrl-C and when the process exits without having cleaned up. Gives the function that takes it back.
 */
export function registerKill(kill: () => void): () => void {
  kills.add(kill);
  return () => kills.delete(kill);
}

function killAll(): void {
  for (const kill of [...kills].reverse()) {
    try {
      kill();
    } catch {
      // The last resort has no one left to report to.
    }
  }
  kills.clear();
}

export interface SignalHandling {
  /** Aborted, with an InterruptedError as reason, on the first SIGINT, SIGTERM or SIGHUP. */
  readonly signal: AbortSignal;
  readonly stop: () => void;
}

/**
 * The one place that listens to signals. The first aborts the one AbortSignal and lets the clean-up run; the second
 * runs the registered kills at once and ends the process with status 130.
 */
export function handleSignals(onFirst: (signalName: string) => void): SignalHandling {
  const controller = new AbortController();
  const handler = (signalName: NodeJS.Signals): void => {
    if (controller.signal.aborted) {
      killAll();
      process.exit(130);
    }
    onFirst(signalName);
    controller.abort(new InterruptedError(signalName));
  };
  const signalNames = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const name of signalNames) process.on(name, handler);
  if (!process.listeners('exit').includes(killAll)) process.on('exit', killAll);
  return {
    signal: controller.signal,
    stop: () => {
      for (const name of signalNames) process.off(name, handler);
    },
  };
}
