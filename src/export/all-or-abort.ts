/**
 * Runs works side by side. The first failure aborts the others, all are waited for, and that failure is thrown: when
 * this returns or throws, nothing runs any more.
 */
export async function allOrAbort<T>(
  signal: AbortSignal | undefined,
  start: (signal: AbortSignal) => readonly Promise<T>[],
): Promise<T[]> {
  const controller = new AbortController();
  const both = signal ? AbortSignal.any([signal, controller.signal]) : controller.signal;
  const works = start(both);
  const failed = (error: unknown): never => {
    controller.abort(error);
    throw error;
  };
  const settled = await Promise.allSettled(works.map((work) => work.catch(failed)));
  signal?.throwIfAborted();
  if (controller.signal.aborted) throw controller.signal.reason;
  return settled.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
}
