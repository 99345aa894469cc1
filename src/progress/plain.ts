import { formatSeconds } from '../recipe/quantities.ts';
import type { ProgressEvent } from './events.ts';
import type { ProgressRenderer, RendererOptions } from './renderer.ts';

/** An installer does ten things a second; a log needs a line now and then. */
const activityIntervalMs = 5_000;

/** One line an event, with the time since the start: for logs and pipes. */
export function startPlainProgress({ write, nowMs, debug }: RendererOptions): ProgressRenderer {
  const startMs = nowMs();
  let lastActivityMs = Number.NEGATIVE_INFINITY;
  let lastActivity = '';

  const describe = (event: ProgressEvent): string | undefined => {
    switch (event.type) {
      case 'build-started':
        return `building ${event.name}: ${event.phases.join(', ')}`;
      case 'phase-started':
        lastActivityMs = Number.NEGATIVE_INFINITY;
        return `${event.phase}: ${event.title}${formatEstimate(event.estimateSeconds)}`;
      case 'phase-progress': {
        const { activity = lastActivity } = event;
        if (activity === lastActivity || nowMs() - lastActivityMs < activityIntervalMs) return undefined;
        lastActivity = activity;
        lastActivityMs = nowMs();
        return `${event.phase}: ${activity}${formatPercent(event.fraction)}`;
      }
      case 'phase-finished':
        return `${event.phase}: done in ${formatSeconds(event.seconds)}${event.note ? `, ${event.note}` : ''}`;
      case 'phase-failed':
        return `${event.phase}: failed after ${formatSeconds(event.seconds)}`;
      case 'log':
        if (event.level === 'debug' && !debug) return undefined;
        return event.level === 'info' ? event.message : `${event.level}: ${event.message}`;
    }
  };
  const progress = (event: ProgressEvent): void => {
    const line = describe(event);
    if (line !== undefined) write(`[${formatElapsed(nowMs() - startMs)}] ${line}\n`);
  };
  return { progress, close: async () => {} };
}

/** `12:05`, with hours where there are any: of one width in most builds. */
function formatElapsed(elapsedMs: number): string {
  const seconds = Math.floor(elapsedMs / 1000);
  const parts = [Math.floor(seconds / 60) % 60, seconds % 60].map((part) => String(part).padStart(2, '0'));
  return seconds < 3600 ? parts.join(':') : `${Math.floor(seconds / 3600)}:${parts.join(':')}`;
}

function formatEstimate(seconds: number | undefined): string {
  return seconds === undefined ? '' : ` (about ${formatSeconds(seconds)})`;
}

function formatPercent(fraction: number | undefined): string {
  return fraction === undefined ? '' : ` (${Math.floor(fraction * 100)} %)`;
}
