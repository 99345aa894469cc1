import { KvmimgError } from '../errors.ts';
import type { KnownDigest } from './digest.ts';

/** A file of an installation tree, and its digest. `path` is below the tree. */
export type TreeFile = KnownDigest & { readonly path: string };

/** What an installation tree's `.treeinfo` says. */
export interface TreeInfo {
  /** `Rocky Linux 9.6` */
  readonly title: string;
  readonly version: string;
  /** `x86_64` */
  readonly arch: string;
  readonly kernel: TreeFile;
  readonly initrd: TreeFile;
  /** Anaconda's own system, which the initrd fetches; not every tree has one. */
  readonly stage2?: TreeFile;
}

type Section = ReadonlyMap<string, string>;
type Ini = ReadonlyMap<string, Section>;

/**
 * Reads a `.treeinfo`: productmd's, whose header has a version 1.x, or the older form without a header.
 *
 * @param wanted `place` names it in messages, `arch` is that of the build as RPM names it
 * @throws KvmimgError `bad-treeinfo` with everything that is missing
 */
export function parseTreeInfo(text: string, wanted: { readonly place: string; readonly arch: string }): TreeInfo {
  const ini = parseIni(text);
  const problems = [...findFormatProblems(ini), ...findArchProblems(ini, wanted.arch)];
  if (problems.length > 0) throw badTreeInfo(wanted.place, problems);
  const release = ini.get('release') ?? new Map();
  const general = ini.get('general') ?? new Map();
  const version = release.get('version') ?? general.get('version') ?? '';
  const name = release.get('name') ?? general.get('family') ?? '';
  const images = ini.get(`images-${wanted.arch}`);
  const kernel = readFile(ini, images?.get('kernel'), `the kernel in [images-${wanted.arch}]`);
  const initrd = readFile(ini, images?.get('initrd'), `the initrd in [images-${wanted.arch}]`);
  const mainImage = ini.get('stage2')?.get('mainimage');
  const stage2 = mainImage === undefined ? undefined : readFile(ini, mainImage, 'mainimage in [stage2]');
  if (typeof kernel === 'string' || typeof initrd === 'string' || typeof stage2 === 'string') {
    const missing = [kernel, initrd, stage2].filter((outcome) => typeof outcome === 'string');
    throw badTreeInfo(wanted.place, missing);
  }
  const title = `${name} ${version}`.trim();
  return { title, version, arch: wanted.arch, kernel, initrd, ...(stage2 && { stage2 }) };
}

/** Sections of `key = value`, as Python's configparser reads them. The last of two equal keys counts. */
function parseIni(text: string): Ini {
  const sections = new Map<string, Map<string, string>>();
  let section = new Map<string, string>();
  for (const line of text.replace(/^\uFEFF/, '').split(/\r?\n/)) {
    const name = /^\[(.+)\]\s*$/.exec(line)?.[1];
    if (name !== undefined) {
      section = sections.get(name) ?? new Map();
      sections.set(name, section);
      continue;
    }
    const [, key, value] = /^([^\s;#=:[][^=:]*)[=:](.*)$/.exec(line) ?? [];
    if (key !== undefined && value !== undefined) section.set(key.trim().toLowerCase(), value.trim());
  }
  return sections;
}

function findFormatProblems(ini: Ini): string[] {
  if (ini.size === 0) return ['it has no [section]'];
  const header = ini.get('header');
  const type = header?.get('type');
  const version = header?.get('version');
  return [
    ...(type !== undefined && type !== 'productmd.treeinfo' ? [`its type is ${type}, not productmd.treeinfo`] : []),
    ...(version !== undefined && !/^[01]\./.test(version) ? [`its format has version ${version}; 1.x is known`] : []),
  ];
}

function findArchProblems(ini: Ini, arch: string): string[] {
  const actual = ini.get('tree')?.get('arch') ?? ini.get('general')?.get('arch');
  if (actual !== undefined && actual !== arch) return [`the tree is for ${actual}, not ${arch}`];
  return ini.has(`images-${arch}`) ? [] : [`it has no section [images-${arch}]`];
}

/** A file of the tree, or what is wrong. */
function readFile(ini: Ini, path: string | undefined, title: string): TreeFile | string {
  if (path === undefined || path === '') return `it does not name ${title}`;
  if (!isBelow(path)) return `${title} is ${path}, which is no path below the tree`;
  const digest = ini.get('checksums')?.get(path.toLowerCase());
  if (digest === undefined) return `[checksums] has no line for ${path}`;
  const [, algorithm = '', hex = ''] = /^([^:]+):\s*([0-9a-fA-F]+)$/.exec(digest) ?? [];
  const lower = hex.toLowerCase();
  if (algorithm.toLowerCase() === 'sha256' && lower.length === 64) return { path, sha256: lower };
  if (algorithm.toLowerCase() === 'sha512' && lower.length === 128) return { path, sha512: lower };
  return `[checksums] has no SHA-256 of ${path}, but ${digest}`;
}

function isBelow(path: string): boolean {
  return /^[^/\\\s:][^\\\s:]*$/.test(path) && !path.split('/').some((part) => part === '..' || part === '');
}

function badTreeInfo(place: string, problems: readonly string[]): KvmimgError {
  return new KvmimgError({
    code: 'bad-treeinfo',
    message: `${place} cannot be used: ${problems.join('; ')}.`,
    hint: 'Name a mirror that has the whole installation tree with --mirror, or install from an ISO (installer.from: iso).',
  });
}
