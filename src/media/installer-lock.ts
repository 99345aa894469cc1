import { createReadStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { createGunzip } from 'node:zlib';
import { type InstallerLock, installerLockSchema, type PinnedFile } from '../distro/schema.ts';
import { KvmimgError } from '../errors.ts';
import { findField, parseStanza, parseStanzas, readStanzaTexts, type Stanza } from './control-stanzas.ts';
import { readInitrdFile } from './cpio.ts';
import { extractDebMembers } from './deb.ts';
import { readDigest } from './digest.ts';
import { checkFilesAnswer } from './lock-check.ts';
import { type FetchOptions, fetchPinned, type MediaSources } from './pinned-file.ts';
import type { Release } from './release.ts';
import { readSignedRelease } from './signed-release.ts';
import { readSmallFile } from './small-file.ts';
import { chooseUdebs, kernelVersionsOf } from './udeb-choice.ts';
import { joinUrl } from './url.ts';

export interface LockFacts {
  readonly distro: string;
  readonly arch: InstallerLock['arch'];
  /** Major release, part of the netboot package's name: `13`. */
  readonly release: string;
  /** The suite to read: `trixie`. */
  readonly codename: string;
  /** The distribution's archive keys, binary. */
  readonly keyring: Uint8Array;
  /** Udebs wanted although d-i does not load them by itself. */
  readonly extraUdebs: readonly string[];
}

export interface LockOptions extends FetchOptions {
  /** Told what is being done now. */
  readonly onActivity?: (activity: string) => void;
}

/**
 * A fresh installer lock from a mirror (the first of `from.urls`): the suite's signed `InRelease`, the netboot package
 * of its index, and the udebs that belong to that image's kernel. Each file has been asked for.
 *
 * @throws KvmimgError `bad-signature`, `lock-refused` when a file is missing or does not belong to the others, and what
 *   `fetchPinned` throws.
 */
export async function makeLock(facts: LockFacts, from: MediaSources, options: LockOptions): Promise<InstallerLock> {
  const mirror = { ...from, urls: from.urls.slice(0, 1), mediaDirs: [] };
  const suite: Suite = { facts, release: await readRelease(facts, mirror, options), mirror, options };
  options.onActivity?.(`finding the netboot image of ${suite.release.fields.get('Version') ?? facts.codename}`);
  const netboot = await findNetboot(suite);
  options.onActivity?.('fetching the netboot image');
  const { initrdPath, ...members } = await openNewNetboot(suite, netboot);
  const initrd = parseStanzas(Buffer.from((await readInitrdFile(initrdPath, statusPath)) ?? []).toString());
  const index = await readUdebIndex(suite);
  const kernelVersion = findKernelVersion(initrd, index);
  const lock = installerLockSchema.parse({
    lockVersion: 1,
    distro: facts.distro,
    arch: facts.arch,
    suite: facts.codename,
    release: suite.release.fields.get('Version') ?? facts.release,
    snapshot: new Date().toISOString().replace(/[-:]|\.\d+/g, ''),
    kernelVersion,
    netboot,
    ...members,
    udebs: chooseUdebs({ index, initrd, kernelVersion, extra: facts.extraUdebs }),
  });
  options.onActivity?.(`asking the mirror for each of ${lock.udebs.length} udebs`);
  await checkFilesAnswer(lock, mirror, options.signal);
  return lock;
}

/** Where a lock's files are: the mirror, then the archive as it was when the lock was made. */
export function makePinnedUrls(mirror: string, archive: string, lock: InstallerLock): string[] {
  return [mirror, lock.snapshot === undefined ? archive : `${archive.replace(/\/+$/, '')}/${lock.snapshot}`];
}

interface Suite {
  readonly facts: LockFacts;
  readonly release: Release;
  readonly mirror: MediaSources;
  readonly options: LockOptions;
}

const statusPath = 'var/lib/dpkg/status';

async function readRelease(facts: LockFacts, mirror: MediaSources, options: LockOptions): Promise<Release> {
  const url = joinUrl(mirror.urls[0] ?? '', `dists/${facts.codename}/InRelease`);
  options.onActivity?.(`reading ${url}`);
  const file = await readSmallFile(url, mirror.http, options.signal);
  if ('reason' in file) throw file.error ?? refused(`${url} ${file.reason}`);
  return readSignedRelease(url, file.content.toString('utf8'), facts.keyring);
}

async function findNetboot(suite: Suite): Promise<PinnedFile> {
  const { facts } = suite;
  const name = `debian-installer-${facts.release}-netboot-${facts.arch}`;
  for await (const text of readStanzaTexts(await openIndex(suite, `main/binary-${facts.arch}/Packages.gz`))) {
    if (findField(text, 'Package') === name) return pinnedFileOf(parseStanza(text));
  }
  throw refused(`the index of ${facts.codename} has no package ${name}`);
}

function pinnedFileOf(stanza: Stanza): PinnedFile {
  const path = stanza.get('Filename') ?? '';
  return { path, sizeBytes: Number(stanza.get('Size')), sha256: stanza.get('SHA256') ?? '' };
}

async function readUdebIndex(suite: Suite): Promise<Stanza[]> {
  const stanzas: Stanza[] = [];
  const indexPath = `main/debian-installer/binary-${suite.facts.arch}/Packages.gz`;
  for await (const text of readStanzaTexts(await openIndex(suite, indexPath))) stanzas.push(parseStanza(text));
  return stanzas;
}

/** An index of the suite, decompressed, after its digest has been checked against the signed Release. */
async function openIndex({ facts, release, mirror, options }: Suite, path: string): Promise<AsyncIterable<Uint8Array>> {
  const digest = release.indices.get(path);
  if (digest === undefined) throw refused(`the Release of ${facts.codename} has no ${path}`);
  const byHash = release.fields.get('Acquire-By-Hash') === 'yes';
  const name = byHash ? `${path.slice(0, path.lastIndexOf('/'))}/by-hash/SHA256/${digest.sha256}` : path;
  const file = { ...digest, path: `dists/${facts.codename}/${name}` };
  const filePath = await fetchPinned(file, mirror, options).catch((error: unknown) => {
    if (!(error instanceof KvmimgError) || error.code !== 'media-missing') throw error;
    throw refused(
      `the mirror does not have ${path} as its signed Release names it. ${error.message.replace(/\.$/, '')}`,
      'The mirror is in the middle of an update. Try later, or another mirror; the present lock goes on working.',
    );
  });
  const source = createReadStream(filePath);
  const gunzip = createGunzip();
  source.on('error', (error) => gunzip.destroy(error)).pipe(gunzip);
  return gunzip;
}

/** Fetches the netboot package and puts its kernel and initrd into the store, whatever their digests turn out to be. */
async function openNewNetboot(suite: Suite, netboot: PinnedFile) {
  const { facts, mirror, options } = suite;
  const folder = `usr/lib/debian-installer/images/${facts.release}/${facts.arch}/text/debian-installer/${facts.arch}`;
  const debPath = await fetchPinned(netboot, mirror, options);
  const partials = new Map<string, string>();
  for (const name of ['linux', 'initrd.gz']) {
    partials.set(`${folder}/${name}`, await mirror.store.claimPartial(`${netboot.sha256}-${name.replace('.', '-')}`));
  }
  try {
    await extractDebMembers(debPath, partials, options.signal);
    const keep = async (name: string) => {
      const member = `${folder}/${name}`;
      const partialPath = partials.get(member) ?? '';
      const digest = await readDigest(partialPath);
      return { member: { member, ...digest }, path: await mirror.store.keep(partialPath, digest) };
    };
    const [kernel, initrd] = [await keep('linux'), await keep('initrd.gz')];
    return { kernel: kernel.member, initrd: initrd.member, initrdPath: initrd.path };
  } finally {
    for (const path of partials.values()) await rm(path, { force: true });
  }
}

/** The kernel of the initrd, which must be one that the mirror still has modules for. */
function findKernelVersion(initrd: readonly Stanza[], index: readonly Stanza[]): string {
  const names = initrd.map((udeb) => /^kernel-image-(.+)-di$/.exec(udeb.get('Package') ?? '')?.[1]);
  const kernelVersion = names.find((name) => name !== undefined);
  if (kernelVersion === undefined) throw refused('the netboot image does not say which kernel it holds');
  const offered = kernelVersionsOf(index);
  if (!offered.includes(kernelVersion)) {
    throw refused(
      `the mirror has moved on: its netboot image has kernel ${kernelVersion}, its udebs are for ${offered.join(', ')}`,
      'Wait until the mirror has both, or take the set of the earlier point release from the archive (--mirror).',
    );
  }
  return kernelVersion;
}

function refused(reason: string, hint?: string): KvmimgError {
  return new KvmimgError({ code: 'lock-refused', message: `No lock was written: ${reason}.`, hint });
}
