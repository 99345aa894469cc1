import type { KvmimgError } from '../../errors.ts';
import type { Scope } from '../../lifecycle/scope.ts';

/** What an installer needs at most to send its logs home when it has failed. */
const limitMs = 5_000;

/** Failures of an installer that sends its logs after it has said what is wrong. */
export interface LastWords {
  /** Keeps a failure until the logs are there, or for so long as they may take. The first one counts. */
  readonly hold: (failure: KvmimgError) => void;
  /** A callback has come: the last one lets go of what is held. */
  readonly hear: (callback: string) => void;
  /** The failure that is held: it says more than how the machine has ended then. */
  readonly held: () => KvmimgError | undefined;
}

/** @param saysLast the callback behind the logs; undefined for an installer that sends none: it fails at once. */
export function awaitLastWords(
  saysLast: string | undefined,
  fail: (failure: KvmimgError) => void,
  scope: Scope,
): LastWords {
  let held: KvmimgError | undefined;
  let timer: NodeJS.Timeout | undefined;
  scope.defer('the wait for the last words of the installer', () => clearTimeout(timer));
  return {
    hold: (failure) => {
      if (saysLast === undefined) fail(failure);
      if (held !== undefined) return;
      held = failure;
      timer = setTimeout(() => fail(failure), limitMs);
    },
    hear: (callback) => {
      if (callback === saysLast && held !== undefined) fail(held);
    },
    held: () => held,
  };
}
