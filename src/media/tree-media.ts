import { join } from 'node:path';
import { KvmimgError } from '../errors.ts';
import { type FetchOptions, fetchPinned, localFolders, type MediaSources } from './pinned-file.ts';
import { findSmallFile, findSmallFiles, readSmallFile, type SmallFile, writeSmallFile } from './small-file.ts';
import { parseTreeInfo, type TreeFile, type TreeInfo } from './tree-info.ts';
import { isFileUrl, joinUrl } from './url.ts';
import { nowhereFound, type Refusal } from './verified-download.ts';

/** An installation tree, by its path below a mirror. */
export interface Tree {
  readonly path: string;
  /** As RPM names it: `x86_64`. */
  readonly arch: string;
}

/** `urls` are the bases of the servers that may hold the tree: the mirror, then the archive. */
export interface TreeSources extends MediaSources {
  readonly cacheDir: string;
  /** Names the copy of `.treeinfo` that is kept for builds without a network: `<distro>-<arch>`. */
  readonly lockName: string;
}

export interface FetchedTree {
  readonly kernelPath: string;
  readonly initrdPath: string;
  /** The installer's second stage, if `.treeinfo` names one. */
  readonly stage2Path?: string;
  readonly treeInfo: TreeInfo;
  /** The one of `urls` that has the tree; undefined where it came from a folder of local media, or from the cache. */
  readonly baseUrl?: string;
}

/** Some mirrors hide files whose names begin with a dot; Fedora's trees have both. */
const names = ['.treeinfo', 'treeinfo'];
const advice = 'name another mirror with --mirror, or install from an ISO (installer.from: iso)';

/**
 * Kernel, initrd and second stage of an installation tree, checked against its `.treeinfo`: from folders of local media (the tree itself
 * or a mirror with it below), else from the first server that has the tree.
 *
 * @throws KvmimgError `bad-treeinfo`, `wrong-digest`, `media-missing` with every URL tried, `mirror-unreachable`,
 *   `mirror-broken`, `offline`, `no-space`; the signal's reason.
 */
export async function fetchTree(tree: Tree, from: TreeSources, options: FetchOptions): Promise<FetchedTree> {
  const { file, baseUrl } = await findTreeInfo(tree, from, options);
  const treeInfo = parseTreeInfo(file.content.toString('utf8'), { place: file.place, arch: tree.arch });
  const bases = baseUrl === undefined ? serversOf(from) : [baseUrl];
  const urls = bases.map((base) => joinUrl(base, tree.path));
  const sources = { ...from, urls, mediaDirs: treeFolders(tree, from) };
  const fetchFile = (file: TreeFile): Promise<string> => fetchPinned(file, sources, { ...options, advice });
  const kernelPath = await fetchFile(treeInfo.kernel);
  const initrdPath = await fetchFile(treeInfo.initrd);
  const stage2Path = treeInfo.stage2 && (await fetchFile(treeInfo.stage2));
  return {
    kernelPath,
    initrdPath,
    ...(stage2Path && { stage2Path }),
    treeInfo,
    ...(baseUrl === undefined ? {} : { baseUrl }),
  };
}

interface FoundTreeInfo {
  readonly file: SmallFile;
  readonly baseUrl?: string;
}

async function findTreeInfo(tree: Tree, from: TreeSources, { signal }: FetchOptions): Promise<FoundTreeInfo> {
  const [local] = await findSmallFiles(treeFolders(tree, from), names);
  if (local) return { file: local };
  const keptPath = join(from.cacheDir, 'media-locks', `${from.lockName}.treeinfo`);
  if (from.offline) {
    const kept = await findSmallFile(keptPath);
    if (kept) return { file: kept };
    throw offlineMiss(tree);
  }
  const refusals: Refusal[] = [];
  for (const baseUrl of serversOf(from)) {
    const outcome = await readTreeInfo(joinUrl(baseUrl, tree.path), from, signal);
    if ('content' in outcome) {
      await writeSmallFile(keptPath, outcome.content.toString('utf8'));
      return { file: outcome, baseUrl };
    }
    refusals.push(outcome);
  }
  throw nowhereFound('the installation tree', refusals, {
    missing: `Put the tree into a folder and name it with --media, ${advice}.`,
  });
}

/** Local folders that may be the tree. */
function treeFolders({ path }: Tree, from: TreeSources): readonly string[] {
  return localFolders(from).flatMap((folder) => [join(folder, path), folder]);
}

function serversOf({ urls }: TreeSources): readonly string[] {
  return urls.filter((url) => !isFileUrl(url));
}

async function readTreeInfo(treeUrl: string, { http }: TreeSources, signal: AbortSignal): Promise<SmallFile | Refusal> {
  let first: Refusal | undefined;
  for (const name of names) {
    const outcome = await readSmallFile(`${treeUrl}/${name}`, http, signal);
    if ('content' in outcome || outcome.error) return outcome;
    first ??= outcome;
  }
  return first ?? { place: treeUrl, reason: 'was not asked' };
}

function offlineMiss({ path }: Tree): KvmimgError {
  return new KvmimgError({
    code: 'offline',
    message: `The installation tree ${path} is not in the cache nor in a --media folder, and --offline forbids to fetch it.`,
    hint: 'Put the tree into a folder and name it with --media, or build once without --offline.',
  });
}
