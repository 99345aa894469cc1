type Undo = () => Promise<void> | void;

interface Entry {
  readonly name: string;
  readonly undo: Undo;
}

/**
 * A stack of undo actions. Whoever makes something that must not outlive the work registers its undo at once.
 * `close` runs them newest first, goes on past failures, runs each at most once, and reports the failures together.
 */
export class Scope implements AsyncDisposable {
  readonly #entries: Entry[] = [];
  #closing: Promise<void> | undefined;

  defer(name: string, undo: Undo): void {
    if (this.#closing) throw new Error(`${name}: registered on a scope that is closed already`);
    this.#entries.push({ name, undo });
  }

  /** @throws AggregateError naming each undo that failed, after all were tried. */
  close(): Promise<void> {
    this.#closing ??= this.#runAll();
    return this.#closing;
  }

  async #runAll(): Promise<void> {
    const failures: Error[] = [];
    for (let entry = this.#entries.pop(); entry; entry = this.#entries.pop()) {
      try {
        await entry.undo();
      } catch (cause) {
        failures.push(new Error(`Could not undo: ${entry.name}`, { cause }));
      }
    }
    if (failures.length > 0) throw new AggregateError(failures, failures.map((failure) => failure.message).join('; '));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/**
 * Runs `work` with a scope and closes it afterwards. The error of the work is never hidden by one of the clean-up:
 * a failing clean-up is passed to `onCleanupFailure`.
 */
export async function withScope<T>(
  work: (scope: Scope) => Promise<T>,
  onCleanupFailure: (error: unknown) => void = () => {},
): Promise<T> {
  const scope = new Scope();
  try {
    return await work(scope);
  } finally {
    await scope.close().catch(onCleanupFailure);
  }
}
