import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { KvmimgError } from '../errors.ts';
import type { PlannedIso } from '../plan/plan.ts';
import type { ContentReader } from './content-store.ts';
import { isKnownContent, type KnownContent, nameDigest, type ReadContent } from './digest.ts';
import { isFileUrl, pathOfFileUrl } from './url.ts';
import { type WantedFile, wrongDigest } from './verified-download.ts';

/** A file of this machine that has an ISO's name and another content. */
export interface Rejected {
  readonly path: string;
  readonly read: ReadContent;
}

interface LocalSearch {
  /** Undefined where nobody knows: then the first that is there is taken. */
  readonly content: KnownContent | undefined;
  readonly mediaDirs: readonly string[];
  readonly read: ContentReader;
}

type LocalIso = { readonly path: string; readonly content: KnownContent } | { readonly rejected: readonly Rejected[] };

/** Looks for an ISO by its name in folders of local media, then at its `file:` URLs. It is used where it is. */
export async function findLocalIso(iso: PlannedIso, { content, mediaDirs, read }: LocalSearch): Promise<LocalIso> {
  const rejected: Rejected[] = [];
  const paths = [
    ...mediaDirs.map((folder) => join(folder, iso.fileName)),
    ...iso.urls.filter(isFileUrl).map(pathOfFileUrl),
  ];
  for (const path of paths) {
    const found = await stat(path).catch(() => undefined);
    if (!found?.isFile()) continue;
    const actual = await read(path, content ? nameDigest(content).algorithm : 'sha256');
    if (content === undefined) return { path, content: { sha256: actual.hex, sizeBytes: actual.sizeBytes } };
    if (isKnownContent(actual, content)) return { path, content };
    rejected.push({ path, read: actual });
  }
  return { rejected };
}

/** Nothing else had the ISO, so what the file that was passed over holds is the news. */
export function wrongLocalIso({ path, read }: Rejected, { content, hints }: WantedFile, cause?: unknown): KvmimgError {
  return wrongDigest(path, { read, content, hint: hints.wrong, cause });
}
