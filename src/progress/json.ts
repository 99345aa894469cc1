import type { ProgressRenderer, RendererOptions } from './renderer.ts';

/** One JSON object a line: the event with the seconds since the start. For programs; nothing is left out but debug logs. */
export function startJsonProgress({ write, nowMs, debug }: RendererOptions): ProgressRenderer {
  const startMs = nowMs();
  return {
    progress: (event) => {
      if (event.type === 'log' && event.level === 'debug' && !debug) return;
      const elapsedSeconds = Math.round(nowMs() - startMs) / 1000;
      write(`${JSON.stringify({ elapsedSeconds, ...event })}\n`);
    },
    close: async () => {},
  };
}
