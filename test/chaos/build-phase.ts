import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { FakeSite } from '../fake/fake-site.ts';

/** What a build can be hurt at. The last act of `provision` is a snapshot, and of each that makes a layer a commit. */
export const hurtPhases = [
  'install',
  'provision',
  'snapshot',
  'commit',
  'seal',
  'verify',
  'export',
  'manifest',
] as const;
export type HurtPhase = (typeof hurtPhases)[number] | 'start' | 'over' | 'unhurt';

/** False of a build that was over before its moment came, and of two of which nobody was hurt. */
export function isHurt(phase: HurtPhase): boolean {
  return phase !== 'over' && phase !== 'unhurt';
}

/** The phase that a build says it is in: `[00:03] seal: Seal the image`. */
export function phaseSaid(said: string): HurtPhase {
  const phase = [...said.matchAll(/^\[[\d:]+\] (media|install|provision|seal|verify|export): /gm)].at(-1)?.[1];
  return phase === 'media' ? 'install' : ((phase ?? 'start') as HurtPhase);
}

/** What a build that was ended by SIGKILL at `startMs` or later was at: what lies about tells more than what it said. */
export function findHurtPhase(site: FakeSite, said: string, startMs: number): HurtPhase {
  const phase = phaseSaid(said);
  if (phase === 'export') return isAtManifest(site, startMs) ? 'manifest' : 'export';
  if (hasLayerToKeep(site, startMs)) return 'commit';
  if (phase === 'provision' && isInSnapshot(site)) return 'snapshot';
  return phase;
}

/** A record in a work folder, or a layer of this build whose lock is not released. */
function hasLayerToKeep({ cacheDir }: FakeSite, startMs: number): boolean {
  const inside = (folder: string): string[] => namesIn(folder).map((name) => join(folder, name));
  const made = inside(join(cacheDir, 'work')).flatMap(inside);
  if (made.some((folder) => existsSync(join(folder, 'layer.json')))) return true;
  return namesIn(join(cacheDir, 'locks'))
    .map((name) => join(cacheDir, 'layers', name.replace(/\.lock$/, '')))
    .flatMap(inside)
    .some((folder) => isSince(join(folder, 'layer.json'), startMs));
}

/** The last that the guest or QMP was told is what makes a snapshot. */
function isInSnapshot({ root }: FakeSite): boolean {
  const last = readFileSync(join(root, 'qemu.log'), 'utf8').trimEnd().split('\n').at(-1) ?? '';
  return /"snapshot"|blockdev-snapshot-sync|"guest":"[^"]*\bsync\b/.test(last);
}

/** The manifest is being written, or tells of files that are not in place yet. */
function isAtManifest({ outDir }: FakeSite, startMs: number): boolean {
  const isNew = (name: string): boolean => isSince(join(outDir, name), startMs, 'ctime');
  const isDescribed = isNew('web.manifest.json') && !isNew('web.raw');
  return isDescribed || namesIn(outDir).includes('web.manifest.json.partial');
}

function isSince(path: string, startMs: number, time: 'mtime' | 'ctime' = 'mtime'): boolean {
  const stats = statSync(path, { throwIfNoEntry: false });
  return stats !== undefined && stats[`${time}Ms`] >= startMs;
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
