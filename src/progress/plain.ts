import { formatSeconds } from '../recipe/quantities.ts';
import { describeOutcome } from './describe-outcome.ts';
import type { ProgressEvent } from './events.ts';
import type { ProgressRenderer, RendererOptions } from './renderer.ts';

/** An installer does ten things a second; a log needs a line now and then. */
const activityIntervalMs = 5_000;

/** One line an event, with the time since the start and the build, where there are several: for logs and pipes. */
export function startPlainProgress({ write, nowMs, debug }: RendererOptions): ProgressRenderer {
  const startMs = nowMs();
  const isWorthALine = makeFilter(nowMs);
  const progress = (event: ProgressEvent): void => {
    if (event.type === 'log' && event.level === 'debug' && !debug) return;
    if (isToldInFull(event) || !isWorthALine(event)) return;
    const build = event.build === undefined ? '' : `${event.build}: `;
    write(`[${formatElapsed(nowMs() - startMs)}] ${build}${describe(event)}\n`);
  };
  return { progress, close: async () => {} };
}

/** Why a single build has failed is what the command itself ends with. */
function isToldInFull(event: ProgressEvent): boolean {
  return event.type === 'build-finished' && event.build === undefined && event.message !== undefined;
}

/** Passes over activities that say nothing new, or follow too soon on the last one of their build. */
function makeFilter(nowMs: () => number): (event: ProgressEvent) => boolean {
  const lastActivities = new Map<string | undefined, { readonly activity: string; readonly atMs: number }>();
  return (event) => {
    const last = lastActivities.get(event.build);
    if (event.type === 'phase-started' && last) {
      lastActivities.set(event.build, { ...last, atMs: Number.NEGATIVE_INFINITY });
    }
    if (event.type !== 'phase-progress') return true;
    const { activity } = event;
    if (activity === undefined || activity === last?.activity) return false;
    if (last && nowMs() - last.atMs < activityIntervalMs) return false;
    lastActivities.set(event.build, { activity, atMs: nowMs() });
    return true;
  };
}

function describe(event: ProgressEvent): string {
  switch (event.type) {
    case 'builds-started':
      return `building ${event.names.length} images: ${event.names.join(', ')}`;
    case 'build-started':
      return `building${event.build === undefined ? ` ${event.name}` : ''}: ${event.phases.join(', ')}`;
    case 'phase-started':
      return `${event.phase}: ${event.title}${formatEstimate(event.estimateSeconds)}`;
    case 'phase-progress':
      return `${event.phase}: ${event.activity}${formatPercent(event.fraction)}`;
    case 'phase-finished':
      return `${event.phase}: done in ${formatSeconds(event.seconds)}${event.note ? `, ${event.note}` : ''}`;
    case 'phase-failed':
      return `${event.phase}: failed after ${formatSeconds(event.seconds)}`;
    case 'build-finished':
      return describeOutcome(event);
    case 'log':
      return event.level === 'info' ? event.message : `${event.level}: ${event.message}`;
  }
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
