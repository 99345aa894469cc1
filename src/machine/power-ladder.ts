import { KvmimgError } from '../errors.ts';

/** One way to end a machine, and how long it has to work. */
export interface Rung {
  readonly name: string;
  readonly act: () => unknown;
  readonly limitMs: number;
}

/**
 * Tries one rung after the other until `exited` settles. A rung that fails gives way to the next at once.
 *
 * @throws KvmimgError `machine-stuck` when none worked.
 */
export async function descend<T>(rungs: readonly Rung[], exited: Promise<T>): Promise<T> {
  const ended = exited.then((value) => ({ value }));
  for (const rung of rungs) {
    const outcome = await climbDown(rung, ended);
    if (outcome) return outcome.value;
  }
  throw new KvmimgError({
    code: 'machine-stuck',
    message: `QEMU did not end by ${rungs.map((rung) => rung.name).join(', ')}.`,
    hint: 'Its process waits for the kernel, most often for storage that does not answer.',
  });
}

async function climbDown<T>(rung: Rung, ended: Promise<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const givenUp = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), rung.limitMs);
    // An answer that never comes must not outlast the limit, so the act is not awaited.
    Promise.resolve()
      .then(rung.act)
      .catch(() => resolve(undefined));
  });
  try {
    return await Promise.race([ended, givenUp]);
  } finally {
    clearTimeout(timer);
  }
}
