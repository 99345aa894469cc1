import type { ProgressRenderer, RendererOptions } from './renderer.ts';

/** One JSON object a line: the event with the seconds since the start. For programs; nothing is left out but debug logs. */
export function startJsonProgress({ write, nowMs, debug }: RendererOptions): ProgressRenderer {
  const writeLine = startJsonLines({ write, nowMs });
  return {
    progress: (event) => {
      if (event.type === 'log' && event.level === 'debug' && !debug) return;
      writeLine(event);
    },
    close: async () => {},
  };
}

/** Writes objects with a `type`, each with the seconds since the start, as a line. */
export function startJsonLines({
  write,
  nowMs,
}: Pick<RendererOptions, 'write' | 'nowMs'>): (object: { readonly type: string }) => void {
  const startMs = nowMs();
  return (object) => {
    const elapsedSeconds = Math.round(nowMs() - startMs) / 1000;
    write(`${JSON.stringify({ elapsedSeconds, ...object })}\n`);
  };
}
