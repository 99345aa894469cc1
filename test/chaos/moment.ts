import { watch } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { FakeSite, RunningBuild } from '../fake/fake-site.ts';
import { type HurtPhase, hurtPhases, phaseSaid } from './build-phase.ts';
import type { Random } from './random.ts';

/** When a build is hurt: so long after its start, or after it has come to a phase. */
export interface Moment {
  readonly phase: HurtPhase;
  readonly delayMs: number;
}

/** When each phase of an undisturbed build began, from its start on; `over` is its end. */
export type UsualTimes = ReadonlyMap<string, number>;

/** What takes milliseconds; that a build was hurt in it shows in what it leaves, and only when kvmimg was killed. */
const instants: readonly HurtPhase[] = ['snapshot', 'commit', 'manifest'];

export function isInstant({ phase }: Moment): boolean {
  return instants.includes(phase);
}

/**
 * What a build now takes of its usual time: the host may be busier or freer than it was at the first build. Each build
 * that was over too soon says less, each that was hurt a little more, so that about one in ten is over too soon.
 */
export interface Pace {
  readonly share: number;
  readonly next: (isOver: boolean) => Pace;
}

export function makePace(share = 1): Pace {
  return { share, next: (isOver) => makePace(Math.min(3, Math.max(0.1, share * (isOver ? 0.85 : 1.02)))) };
}

/** Half of the moments lie anywhere in a build's usual time, half in each phase in turn, for some take milliseconds. */
export function chooseMoment(random: Random, run: number, usual: UsualTimes, pace: Pace, startsAt: string): Moment {
  const phase = hurtPhases[run % hurtPhases.length] ?? 'install';
  if (random.chance(0.5)) return { phase, delayMs: random.fraction() * pace.share * usualMs(phase, usual) };
  const [over, skipped] = [usual.get('over') ?? 0, (usual.get(startsAt) ?? 0) - (usual.get('install') ?? 0)];
  return { phase: 'start', delayMs: random.fraction() * 0.85 * pace.share * (over - Math.max(0, skipped)) };
}

/** Steps that are moments themselves are hurt within milliseconds of their beginning. */
function usualMs(phase: HurtPhase, usual: UsualTimes): number {
  const begun = usual.get(phase);
  if (begun === undefined) return phase === 'manifest' ? 3 : 15;
  const [next = begun] = [...usual.values()].filter((timeMs) => timeMs > begun).sort((one, other) => one - other);
  return next - begun;
}

/** Waits for the moment; false when the build was over before it came. */
export async function untilMoment(site: FakeSite, build: RunningBuild, moment: Moment): Promise<boolean> {
  const stop = new AbortController();
  const begun = beginOf(site, build, moment.phase, stop.signal);
  try {
    const over = build.ended.then(() => false);
    return await Promise.race([over, begun.then(() => pause(moment.delayMs, true))]);
  } finally {
    stop.abort();
  }
}

/** Notes when a build says that it enters a phase; gives the times when it is over. */
export function phaseSaidTimes(build: RunningBuild): () => UsualTimes {
  const startMs = performance.now();
  const times = new Map<string, number>();
  build.child.stderr?.on('data', () => {
    const phase = phaseSaid(build.said());
    if (!times.has(phase)) times.set(phase, performance.now() - startMs);
  });
  return () => new Map([...times, ['over', performance.now() - startMs]]);
}

/** Settles at the beginning of a phase; never for one that does not come. */
async function beginOf(site: FakeSite, build: RunningBuild, phase: HurtPhase, signal: AbortSignal): Promise<void> {
  const { cacheDir, outDir, root } = site;
  switch (phase) {
    case 'start':
      return;
    case 'snapshot':
      return untilLogGrowsBy(join(root, 'qemu.log'), 'blockdev-snapshot-sync', signal);
    case 'commit':
      await untilLogGrowsBy(join(root, 'qemu.log'), 'blockdev-snapshot-sync', signal);
      return untilFile(join(cacheDir, 'locks'), 'store.lock', signal);
    case 'manifest':
      return untilFile(outDir, 'web.manifest.json.partial', signal);
    default:
      return new Promise((resolve) => {
        const look = (): void => {
          if (phaseSaid(build.said()) === phase) resolve();
        };
        build.child.stderr?.on('data', look);
      });
  }
}

function untilFile(folder: string, name: string, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    watch(folder, { signal }, (_, changed) => {
      if (changed === name) resolve();
    });
  });
}

async function untilLogGrowsBy(path: string, text: string, signal: AbortSignal): Promise<void> {
  let offset = (await stat(path)).size;
  await new Promise<void>((resolve, reject) => {
    const look = async (): Promise<void> => {
      const file = await open(path, 'r');
      const { size } = await file.stat();
      const { buffer, bytesRead } = await file.read(Buffer.alloc(size - offset), 0, size - offset, offset);
      await file.close();
      if (buffer.toString('utf8', 0, bytesRead).includes(text)) resolve();
      else offset = Math.max(offset, size - text.length);
    };
    let looking = Promise.resolve();
    watch(path, { signal }, () => {
      looking = looking.then(look).catch(reject);
    });
  });
}

export function pause<T>(durationMs: number, value: T): Promise<T> {
  return new Promise((resolve) => setTimeout(() => resolve(value), durationMs).unref());
}
