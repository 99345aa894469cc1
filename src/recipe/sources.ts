import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { messageOf, systemErrorCode } from '../errors.ts';
import { isPublicKey, publicKeyWanted } from './install-settings.ts';
import { formatSize } from './quantities.ts';
import { select } from './rules.ts';
import type { RecipeIssue } from './validate.ts';

/** A file, script or base image of the user's, read while planning so that its content is part of the plan. */
export interface SourceFile {
  /** As written in the recipe. */
  readonly source: string;
  /** Absolute path on this machine. */
  readonly path: string;
  readonly sha256: string;
  readonly sizeBytes: number;
}

/** The one that may be a URL. */
const fetchedPattern = 'installer.iso';
const keyPattern = 'repositories[*].keySource';
const scriptPattern = 'provision[*].scripts[*].source';

/** Settings that name a file on this machine. */
export const sourcePatterns = [
  'base',
  'answerFile',
  fetchedPattern,
  keyPattern,
  'provision[*].files[*].source',
  scriptPattern,
];

/** Those that are read as text. */
const textPatterns: readonly string[] = ['answerFile', keyPattern, scriptPattern];

/** Those that may be larger than the memory; the others are read whole. */
const imagePatterns: readonly string[] = ['base', fetchedPattern];
const maxContentBytes = 2 ** 30;

export function namesUrl(text: string): boolean {
  return /^https?:/.test(text);
}

/** Whether it is a file on this machine: a path, or a `file:` URL. */
export function namesFile(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && !namesUrl(value);
}

/** The path of a file that is named from a folder; undefined for a `file:` URL that names none of this machine. */
export function resolveFile(folder: string, name: string): string | undefined {
  if (!name.startsWith('file:') || !URL.canParse(name)) return resolve(folder, name);
  try {
    return fileURLToPath(name);
  } catch {
    return undefined;
  }
}

/** Digests of the files that a recipe's data names, relative to `recipeDir`; issues for those not there. */
export async function readSources(
  data: unknown,
  recipeDir: string,
  digest: DigestFile = digestFile,
): Promise<{ readonly sources: readonly SourceFile[]; readonly issues: readonly RecipeIssue[] }> {
  const sources = new Map<string, SourceFile>();
  const issues: RecipeIssue[] = [];
  for (const pattern of sourcePatterns) {
    for (const { path, value } of select(data, pattern)) {
      if (typeof value === 'string' && namesUrl(value) && pattern !== fetchedPattern) {
        issues.push({ path, message: 'must be a file on this machine, not a URL' });
      }
      if (!namesFile(value)) continue;
      const maxBytes = imagePatterns.includes(pattern) ? Number.POSITIVE_INFINITY : maxContentBytes;
      const outcome = await readSource(value, resolveFile(recipeDir, value), { digest, maxBytes });
      const found = 'message' in outcome ? outcome : await findTextProblem(outcome, pattern);
      if (found !== undefined) issues.push({ path, ...found });
      if (!('message' in outcome)) sources.set(value, outcome);
    }
  }
  return { sources: [...sources.values()], issues };
}

/** What is wrong with the text of a file; undefined where nothing is, or where any bytes will do. */
async function findTextProblem({ path }: SourceFile, pattern: string): Promise<SourceProblem | undefined> {
  if (!textPatterns.includes(pattern)) return undefined;
  const text = decodeText(await readFile(path));
  if (pattern === keyPattern) return isPublicKey(text ?? '') ? undefined : { message: `${path} ${publicKeyWanted}` };
  if (text === undefined) return { message: `${path} is not UTF-8 text` };
  return text.trim() === '' ? { message: `${path} is empty` } : undefined;
}

/** Undefined for bytes that are not UTF-8. A byte order mark stays. */
export function decodeText(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

type SourceProblem = Pick<RecipeIssue, 'message' | 'hint'>;

async function readSource(
  source: string,
  path: string | undefined,
  { digest, maxBytes }: { readonly digest: DigestFile; readonly maxBytes: number },
): Promise<SourceFile | SourceProblem> {
  if (path === undefined) {
    return { message: `${source} names no file of this machine; write file:///folder/file, or a path` };
  }
  try {
    const stats = await stat(path);
    if (!stats.isFile()) return { message: `${path} is not a file` };
    if (stats.size > maxBytes) {
      const message = `${path} has ${formatSize(stats.size)}; at most ${formatSize(maxBytes)} are put into the guest`;
      return { message, hint: 'Fetch it in a script of the step, from a server that the guest reaches.' };
    }
    return { source, path, sha256: await digest(path), sizeBytes: stats.size };
  } catch (error) {
    const isAbsent = systemErrorCode(error) === 'ENOENT';
    return { message: isAbsent ? `there is no file ${path}` : `cannot be read: ${messageOf(error)}` };
  }
}

/** Gives the SHA-256 of a file of any size, in lower-case hexadecimal. */
export type DigestFile = (path: string) => Promise<string>;

/** Reads the file through. */
export async function digestFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of createReadStream(path, { highWaterMark: 2 ** 20 })) hash.update(piece);
  return hash.digest('hex');
}
