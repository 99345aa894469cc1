import { rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { InstallerLock } from '../distro/schema.ts';
import { KvmimgError } from '../errors.ts';
import { extractDebMembers } from './deb.ts';
import { type ContentDigest, isExpectedContent, readDigest } from './digest.ts';
import { type FetchOptions, fetchPinned, type MediaSources, takeLocalMedia } from './pinned-file.ts';

/** The installer's kernel and initrd, checked against the lock. */
export interface Netboot {
  readonly kernelPath: string;
  readonly initrdPath: string;
}

type Member = InstallerLock['kernel'];

/**
 * The kernel and initrd of an installer lock: from the store, from local media (`<dir>/netboot/linux`, or the .deb), or
 * out of the netboot package, which is fetched only if one of them is missing.
 *
 * @throws what `fetchPinned` throws; KvmimgError `bad-deb`, `wrong-digest`.
 */
export async function openNetboot(lock: InstallerLock, from: MediaSources, options: FetchOptions): Promise<Netboot> {
  const members = [lock.kernel, lock.initrd];
  const paths = await Promise.all(members.map((member) => findMember(member, from)));
  const missing = members.filter((_, index) => paths[index] === undefined);
  const extracted = missing.length > 0 ? await extractMembers(lock, missing, from, options) : new Map();
  const [kernelPath, initrdPath] = members.map((member, index) => paths[index] ?? extracted.get(member.member));
  return { kernelPath, initrdPath };
}

async function findMember(member: Member, from: MediaSources): Promise<string | undefined> {
  const name = basename(member.member);
  return (await from.store.find(member)) ?? (await takeLocalMedia(from, [join('netboot', name), name], member));
}

async function extractMembers(
  lock: InstallerLock,
  members: readonly Member[],
  from: MediaSources,
  options: FetchOptions,
): Promise<Map<string, string>> {
  const debPath = await fetchPinned(lock.netboot, from, options);
  const partialPaths = new Map<string, string>();
  for (const member of members) partialPaths.set(member.member, await from.store.claimPartial(member.sha256));
  try {
    await extractDebMembers(debPath, partialPaths, options.signal);
    const kept = new Map<string, string>();
    for (const member of members) kept.set(member.member, await keepMember(lock, member, partialPaths, from));
    return kept;
  } finally {
    for (const path of partialPaths.values()) await rm(path, { force: true });
  }
}

async function keepMember(
  lock: InstallerLock,
  member: Member,
  partialPaths: ReadonlyMap<string, string>,
  from: MediaSources,
): Promise<string> {
  const partialPath = partialPaths.get(member.member) ?? '';
  const digest = await readDigest(partialPath);
  if (!isExpectedContent(digest, member)) throw wrongMember(lock, member, digest);
  return from.store.keep(partialPath, digest);
}

function wrongMember(lock: InstallerLock, member: Member, digest: ContentDigest): KvmimgError {
  return new KvmimgError({
    code: 'wrong-digest',
    message:
      `${member.member} in ${basename(lock.netboot.path)} is not what the installer lock says: ` +
      `its SHA-256 is ${digest.sha256}, not ${member.sha256}.`,
    hint: 'The installer lock contradicts itself. Make a fresh one with kvmimg lock.',
  });
}
