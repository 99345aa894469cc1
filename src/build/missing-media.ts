import { stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { openContentStore } from '../media/content-store.ts';
import { type KnownContent, nameDigest, plannedContent } from '../media/digest.ts';
import { openMediaLock } from '../media/media-lock.ts';
import { openMirrorEntries } from '../media/mirror-entries.ts';
import { listUdebFiles } from '../media/pinned-udebs.ts';
import { isFileUrl, joinUrl } from '../media/url.ts';
import type { Plan, PlannedIso } from '../plan/plan.ts';
import { planOf } from '../plan/plan-of.ts';
import { mediaLockName } from '../plan/planned-media.ts';
import { mirrorProbes, upstreamsOf } from '../plan/upstreams.ts';

const onceOnline = 'build once without --offline';

/**
 * What the install of a plan will ask for and nobody can give it, in sentences. It looks for names and lengths, reads no
 * file of media and asks no server, so that there may be more to it: a build tells that.
 */
export async function findMissingMedia(plan: Plan): Promise<readonly string[]> {
  if (plan.recipe.base !== undefined) return [];
  switch (plan.media.kind) {
    case 'netboot':
      return plan.offline ? findMissingNetboot(plan) : [];
    case 'iso':
      return findMissingIso(plan, plan.media.iso);
    case 'tree':
      return plan.offline ? findMissingTree(plan, plan.media.path) : [];
  }
}

async function findMissingNetboot(plan: Plan): Promise<string[]> {
  const { distro, media } = planOf(plan, 'debian', 'netboot');
  const { lock } = media;
  const members = [lock.kernel, lock.initrd].map((file) => {
    const name = basename(file.member);
    return { name, content: file, paths: [join('netboot', name), name] };
  });
  const pinned = [lock.netboot, ...listUdebFiles(lock, distro.skipUdebs)].map((file) => {
    const name = basename(file.path);
    return { name, content: file, paths: [file.path, name] };
  });
  const isMissing = async (file: WantedFile): Promise<boolean> => !(await isPresent(file, plan));
  const [absentMembers, absentPinned] = await Promise.all([filter(members, isMissing), filter(pinned, isMissing)]);
  // The package of the netboot image is read for what is in it, and for nothing else.
  const absent = absentPinned.filter(({ content }) => content !== lock.netboot || absentMembers.length > 0);
  const indices = await filter(mirrorProbes(plan), async (path) => !(await isMirrored(plan, path)));
  return [
    ...(absent.length === 0 ? [] : [describeAbsent(absent.map(({ name }) => name))]),
    ...(indices.length === 0
      ? []
      : [
          `The cache has nothing of the mirror yet (${indices.join(', ')}), and --offline forbids to ask it: ${onceOnline}.`,
        ]),
  ];
}

function describeAbsent([first = '', ...others]: readonly string[]): string {
  const rest = others.length === 0 ? ' is' : ` and ${others.length} more files of the installer are`;
  return `${first}${rest} not in the cache nor in a --media folder, and --offline forbids to fetch them: ${onceOnline}.`;
}

async function isMirrored(plan: Plan, path: string): Promise<boolean> {
  const [upstream = '', ...below] = path.split('/');
  const base = upstreamsOf(plan)[upstream] ?? '';
  return (await openMirrorEntries(plan.cacheDir).find(joinUrl(base, below.join('/')))) !== undefined;
}

async function findMissingIso(plan: Plan, iso: PlannedIso): Promise<string[]> {
  const isFetched = iso.urls.length > 0;
  if (iso.path !== undefined || iso.urls.some(isFileUrl) || (isFetched && !plan.offline)) return [];
  const content =
    plannedContent(iso) ?? (await openMediaLock(plan.cacheDir, mediaLockName(plan)).find(iso.fileName))?.content;
  if (await isPresent({ content, paths: [iso.fileName] }, plan)) return [];
  const where = 'is in no --media folder';
  if (!isFetched) return [`${iso.fileName} ${where}; name it with --iso.`];
  return [
    `${iso.fileName} ${where} and not in the cache, and --offline forbids to fetch it: name it with --iso, or ${onceOnline}.`,
  ];
}

async function findMissingTree(plan: Plan, path: string): Promise<string[]> {
  const { cacheDir, mediaDirs } = plan;
  const kept = join(cacheDir, 'media-locks', `${mediaLockName(plan)}.treeinfo`);
  const local = mediaDirs.flatMap((dir) =>
    [join(dir, path), dir].flatMap((folder) => [join(folder, '.treeinfo'), join(folder, 'treeinfo')]),
  );
  const found = await filter([kept, ...local], async (candidate) => (await sizeOf(candidate)) !== undefined);
  if (found.length > 0) return [];
  return [
    `The installation tree ${path} is not in the cache nor in a --media folder, and --offline forbids to fetch it: ${onceOnline}.`,
  ];
}

interface WantedFile {
  /** Undefined where nobody knows. */
  readonly content: KnownContent | undefined;
  /** In folders of local media. */
  readonly paths: readonly string[];
}

/** Whether the store has a file of this name, or a folder of local media one of this length. */
async function isPresent({ content, paths }: WantedFile, { cacheDir, mediaDirs }: Plan): Promise<boolean> {
  const stored = content && join(openContentStore(cacheDir).dir, nameDigest(content).hex);
  const local = mediaDirs.flatMap((dir) => paths.map((path) => join(dir, path)));
  const sizes = await Promise.all([...(stored ? [stored] : []), ...local].map(sizeOf));
  return sizes.some((size) => size !== undefined && size === (content?.sizeBytes ?? size));
}

async function sizeOf(path: string): Promise<number | undefined> {
  const found = await stat(path).catch(() => undefined);
  return found?.isFile() ? found.size : undefined;
}

async function filter<T>(items: readonly T[], keep: (item: T) => Promise<boolean>): Promise<T[]> {
  const kept = await Promise.all(items.map(keep));
  return items.filter((_, index) => kept[index]);
}
