import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { open, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { KvmimgError, systemErrorCode } from '../errors.ts';
import { isOwnerTagDead, makeOwnerTag } from '../host/owner-tag.ts';
import type { Scope } from '../lifecycle/scope.ts';
import { registerKill } from '../lifecycle/signals.ts';

const abandonedMs = 24 * 60 * 60_000;

/**
 * Makes an empty file beside the finished one, which is gone when the scope closes unless it was renamed into place. Its
 * name, `<path>.<owner tag>.<random>.partial`, is no other's; those of the same file whose process is dead, or that
 * nobody has written to for a day, are removed.
 */
export async function makePartial(path: string, scope: Scope): Promise<string> {
  await removeLeftovers(path);
  const partialPath = `${path}.${await makeOwnerTag()}.${randomBytes(4).toString('hex')}.partial`;
  await (await open(partialPath, 'wx')).close();
  const forget = registerKill(() => rmSync(partialPath, { force: true }));
  scope.defer(`remove ${partialPath}`, async () => {
    await rm(partialPath, { force: true });
    forget();
  });
  return partialPath;
}

async function removeLeftovers(path: string): Promise<void> {
  const [folder, prefix] = [dirname(path), `${basename(path)}.`];
  for (const name of await readdir(folder)) {
    const rest = name.startsWith(prefix) ? name.slice(prefix.length) : '';
    const tag = /^(.+)\.[0-9a-f]{8}\.partial$/.exec(rest)?.[1];
    if (tag === undefined) continue;
    const path = join(folder, name);
    if ((await isOwnerTagDead(tag)) || (await isAbandoned(path))) await rm(path, { force: true });
  }
}

/** Nobody has written to it for a day. Whether the process of another host or container has ended cannot be asked. */
async function isAbandoned(path: string): Promise<boolean> {
  const facts = await stat(path).catch(() => undefined);
  return facts !== undefined && Date.now() - facts.mtimeMs > abandonedMs;
}

/** Brings what was written to the disk. After this a rename is all that is missing. */
export async function flushFile(path: string): Promise<void> {
  const file = await open(path, 'r+');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Renames a flushed file into place and flushes the folder. */
export async function commitFile(partialPath: string, path: string): Promise<void> {
  await rename(partialPath, path);
  const folder = await open(dirname(path), 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** Gives a full device, a quota and missing permission as sentences; anything else as it is. */
export function describeWriteFailure(error: unknown, path: string): unknown {
  const code = systemErrorCode(error);
  const sentence = { code: 'no-space', message: `There is no space left on the device that holds ${path}.` };
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new KvmimgError({ ...sentence, hint: 'Free some space there, or choose another folder.', cause: error });
  }
  if (code === 'EFBIG') {
    const message = `${path} grew larger than the file system or the limit of this shell (ulimit -f) allows.`;
    return new KvmimgError({
      code: 'no-space',
      message,
      hint: 'Choose a folder on another file system.',
      cause: error,
    });
  }
  if (code !== 'EACCES' && code !== 'EPERM' && code !== 'EROFS') return error;
  return new KvmimgError({
    code: 'write-permission',
    message: `There is no permission to write ${path}.`,
    cause: error,
  });
}
