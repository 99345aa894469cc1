import type { Distro, InstallerLock } from '../distro/schema.ts';
import { skippedUdebs } from '../distro/skipped-udebs.ts';
import type { Arch, Recipe } from '../recipe/schema.ts';
import { namesUrl, type SourceFile } from '../recipe/sources.ts';
import type { Plan, PlannedIso, PlannedMedia } from './plan.ts';

interface MediaInputs {
  readonly recipe: Recipe;
  readonly distro: Distro;
  readonly lock: InstallerLock | undefined;
  readonly sources: readonly SourceFile[];
}

/** Anaconda's and RPM's names of the architectures. */
export const rpmArches: Readonly<Record<Arch, string>> = { amd64: 'x86_64', arm64: 'aarch64' };

/** What the installer is started from; undefined where there is nothing for the recipe's architecture. Pure. */
export function planMedia({ recipe, distro, lock, sources }: MediaInputs): PlannedMedia | undefined {
  if (distro.family === 'debian') return lock && { kind: 'netboot', lock };
  if (distro.family === 'redhat' && wantsTree(recipe, distro)) {
    const [tree] = distro.repositories;
    return tree && { kind: 'tree', path: tree.path.replaceAll('{arch}', rpmArches[recipe.arch]) };
  }
  const iso = distro.iso[recipe.arch];
  if (iso === undefined) return undefined;
  const { iso: own, sha256 } = recipe.installer;
  if (own !== undefined) return { kind: 'iso', iso: ownIso(iso, recipe.installer, sources) };
  return { kind: 'iso', iso: sha256 === undefined ? iso : { ...iso, sha256 } };
}

/** Of the families that know both, who neither says nor names an ISO gets the tree, which is always the newest. */
function wantsTree({ installer }: Recipe, distro: Extract<Distro, { readonly family: 'redhat' }>): boolean {
  if (installer.from !== undefined) return installer.from === 'tree';
  return installer.iso === undefined && distro.hasTree && !distro.subscription;
}

/** The user's own ISO has the layout of the distro's, and none of its digests. */
function ownIso(
  { kernel, initrd, fileName }: PlannedIso,
  { iso = '', sha256 }: Recipe['installer'],
  sources: readonly SourceFile[],
): PlannedIso {
  const digest = sha256 === undefined ? {} : { sha256 };
  if (namesUrl(iso)) {
    const name = new URL(iso).pathname.split('/').at(-1);
    return { fileName: name || fileName, urls: [iso], kernel, initrd, ...digest };
  }
  const file = sources.find(({ source }) => source === iso);
  if (file === undefined) throw new Error(`${iso} was not read while planning.`);
  return {
    fileName,
    urls: [],
    kernel,
    initrd,
    sha256: file.sha256,
    sizeBytes: file.sizeBytes,
    ...digest,
    path: file.path,
  };
}

/** SHA-256s and URLs that tell these media from others: part of the install layer's key. */
export function identifyMedia(media: PlannedMedia): readonly string[] {
  switch (media.kind) {
    case 'netboot':
      return [
        media.lock.netboot,
        media.lock.kernel,
        media.lock.initrd,
        ...media.lock.udebs.map(({ file }) => file),
      ].map(({ sha256 }) => sha256);
    case 'iso': {
      const { sha256, sha512, urls, fileName } = media.iso;
      const digest = sha256 ?? sha512;
      return digest === undefined ? [fileName, ...urls] : [digest];
    }
    case 'tree':
      return [media.path];
  }
}

/** The distro with the names of the udebs to leave out as the lock has them; others are as they were. */
export function withFullUdebNames(distro: Distro, media: PlannedMedia, { disk }: Pick<Recipe, 'disk'>): Distro {
  if (distro.family !== 'debian' || media.kind !== 'netboot') return distro;
  return { ...distro, skipUdebs: skippedUdebs(distro, media.lock, disk) };
}

/** Whether the build takes the packages from the ISO where nothing else is to be had: without a subscription, and offline. */
export function takesPackagesFromIso({ distro, media, offline }: Pick<Plan, 'distro' | 'media' | 'offline'>): boolean {
  return distro.family === 'redhat' && media.kind === 'iso' && (distro.subscription || offline);
}

/** Under which a cache remembers what it has found out about the media of a plan. */
export function mediaLockName({ distro, recipe }: Pick<Plan, 'distro' | 'recipe'>): string {
  return `${distro.id}-${recipe.arch}`;
}
