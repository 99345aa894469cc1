import { basename } from 'node:path';
import { type DigestedFile, describeContent, nameDigest } from '../../media/digest.ts';
import { openIsoBoot } from '../../media/iso-boot.ts';
import { fetchIso } from '../../media/iso-media.ts';
import type { FetchOptions } from '../../media/pinned-file.ts';
import { fetchTree } from '../../media/tree-media.ts';
import type { PlannedMedia } from '../../plan/plan.ts';
import { rpmArches } from '../../plan/planned-media.ts';
import type { BuildRun } from '../build-run.ts';
import { isoSourcesOf } from '../media-access.ts';
import type { BuildKeys, FamilyInstaller, InstallBoot } from './family-installer.ts';
import { makeAnswer, makeRunFacts } from './family-installer.ts';

/** Kernel, initrd and, if there is one, the ISO that the guest has in its drive. */
export interface BootMedia extends Pick<InstallBoot, 'kernelPath' | 'initrdPath' | 'cdroms' | 'local'> {
  /** The label of the ISO, by which an installer finds it. */
  readonly isoVolumeId?: string;
  readonly files: readonly DigestedFile[];
}

/**
 * Fetches an ISO, or the kernel and initrd of a mirror's tree, as the plan has it.
 *
 * @throws KvmimgError of what cannot be fetched, is not what its digest says, or is on no ISO.
 */
export async function fetchBootMedia(run: BuildRun, options: FetchOptions): Promise<BootMedia> {
  const { plan } = run;
  switch (plan.media.kind) {
    case 'iso':
      return fetchFromIso(run, plan.media, options);
    case 'tree':
      return fetchFromTree(run, plan.media, options);
    case 'netboot':
      throw new Error(`${plan.distro.id} is not installed by a netboot image.`);
  }
}

/** The installer of a family that needs nothing but its media and its answer. */
export function makeInstaller(voice: FamilyInstaller['voice']): FamilyInstaller {
  return {
    voice,
    fetchMedia: async (run, options) => {
      const { isoVolumeId, files, ...media } = await fetchBootMedia(run, options);
      const makeBoot = async (keys: BuildKeys): Promise<InstallBoot> => {
        const facts = { ...makeRunFacts(run, keys), ...(isoVolumeId && { isoVolumeId }) };
        return { ...media, ...(await makeAnswer(run, facts)) };
      };
      return { files, makeBoot };
    },
  };
}

type MediaOf<K extends PlannedMedia['kind']> = Extract<PlannedMedia, { readonly kind: K }>;

async function fetchFromIso(run: BuildRun, { iso }: MediaOf<'iso'>, options: FetchOptions): Promise<BootMedia> {
  const { path, digest } = await fetchIso(iso, isoSourcesOf(run.plan, run.access), options);
  // Of the user's own ISO the plan does not say the label; that of the distro's tells whether it is another one.
  const { distro, recipe } = run.plan;
  const volumeId = distro.family === 'debian' ? undefined : distro.iso[recipe.arch]?.volumeId;
  const boot = await openIsoBoot(path, { ...iso, volumeId }, { workDir: run.workDir, signal: run.signal });
  const { kernelPath, initrdPath, volumeId: isoVolumeId } = boot;
  return { kernelPath, initrdPath, isoVolumeId, cdroms: [path], files: [describeContent(basename(path), digest)] };
}

async function fetchFromTree(run: BuildRun, { path }: MediaOf<'tree'>, options: FetchOptions): Promise<BootMedia> {
  const { mirrors, recipe } = run.plan;
  const urls = [mirrors.build, ...(mirrors.archive === undefined ? [] : [mirrors.archive])];
  const tree = { path, arch: rpmArches[recipe.arch] };
  const fetched = await fetchTree(tree, { ...isoSourcesOf(run.plan, run.access), urls }, options);
  const { kernelPath, initrdPath, stage2Path, treeInfo } = fetched;
  // The guest asks the mirror for it, and gets what has been checked.
  const stage2 = stage2Path && treeInfo.stage2 && ([`packages/${path}/${treeInfo.stage2.path}`, stage2Path] as const);
  const { kernel, initrd } = treeInfo;
  const files = [kernel, initrd, ...(treeInfo.stage2 ? [treeInfo.stage2] : [])].map((file) =>
    describeContent(`${path}/${file.path}`, nameDigest(file)),
  );
  return { kernelPath, initrdPath, files, ...(stage2 && { local: new Map([stage2]) }) };
}
