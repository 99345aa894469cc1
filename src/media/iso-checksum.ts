import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { IsoMedia } from '../distro/schema.ts';
import { KvmimgError, messageOf } from '../errors.ts';
import type { PlannedIso } from '../plan/plan.ts';
import { findChecksum } from './checksum-file.ts';
import type { IsoSources } from './iso-sources.ts';
import type { LockedContent } from './media-lock.ts';
import { checkDetached, readClearSigned, type Trust } from './openpgp-signature.ts';
import { findSmallFile, readSmallFile, type SmallFile } from './small-file.ts';
import { besideUrl, fileNameOfUrl, isFileUrl } from './url.ts';
import { describeRefusal, type FetchOptions, type Refusal } from './verified-download.ts';

type ChecksumFacts = NonNullable<IsoMedia['checksums']>;

/** A file of checksums, and how the one of its signature is read, which lies beside it. */
interface Candidate {
  readonly file: SmallFile;
  readonly readSignature: () => Promise<SmallFile | Refusal>;
}

/**
 * What a file of checksums says about an ISO, its signature checked: the first that is in a folder of local media, at its
 * URL, or beside the ISO elsewhere (its archive), and names the ISO.
 *
 * @returns the reasons where there is none
 * @throws KvmimgError `bad-signature`; the signal's reason
 */
export async function findIsoChecksum(
  { iso, facts }: { readonly iso: PlannedIso; readonly facts: ChecksumFacts },
  from: IsoSources,
  { signal }: FetchOptions,
): Promise<LockedContent | readonly Refusal[]> {
  const refusals: Refusal[] = [];
  for await (const candidate of findCandidates({ iso, facts }, from, signal)) {
    const outcome = 'reason' in candidate ? candidate : await readCandidate(candidate, { iso, facts }, from);
    if (!('reason' in outcome)) return outcome;
    refusals.push(outcome);
  }
  return refusals;
}

/** What to tell where no file of checksums says what an ISO must hold. */
export function checksumMissing(iso: PlannedIso, facts: ChecksumFacts, refusals: readonly Refusal[]): KvmimgError {
  const [first] = refusals;
  const cause = refusals.every(({ error }) => error !== undefined) ? first?.error : undefined;
  const reasons =
    refusals.length === 0
      ? 'it is in no --media folder, and --offline forbids to fetch it'
      : refusals.map(describeRefusal).join('; ');
  const names = facts.signature === 'beside' ? [facts.url, signatureUrlOf(facts)] : [facts.url];
  const byHand = `Put ${names.map(fileNameOfUrl).join(' and ')} beside ${iso.fileName} into a folder`;
  return new KvmimgError({
    code: first === undefined ? 'offline' : (cause?.code ?? 'checksum-missing'),
    message: `${fileNameOfUrl(facts.url)}, which says what ${iso.fileName} must hold, cannot be used: ${reasons}.`,
    hint: `${byHand} and name it with --media, or name an ISO that you trust with --iso.`,
    cause,
  });
}

interface Wanted {
  readonly iso: PlannedIso;
  readonly facts: ChecksumFacts;
}

async function* findCandidates(
  { iso, facts }: Wanted,
  from: IsoSources,
  signal: AbortSignal,
): AsyncIterable<Candidate | Refusal> {
  const name = fileNameOfUrl(facts.url);
  const signatureUrl = signatureUrlOf(facts);
  for (const folder of from.mediaDirs) {
    const file = await findSmallFile(join(folder, name));
    if (file) yield { file, readSignature: () => findLocalSignature(file, fileNameOfUrl(signatureUrl)) };
  }
  const urls = new Map([[facts.url, signatureUrl]]);
  for (const url of iso.urls) {
    const beside = besideUrl(url, name);
    if (!urls.has(beside)) urls.set(beside, besideUrl(url, fileNameOfUrl(signatureUrl)));
  }
  for (const [url, urlOfSignature] of urls) {
    if (from.offline && !isFileUrl(url)) continue;
    const file = await readSmallFile(url, from.http, signal);
    if ('reason' in file) yield file;
    else yield { file, readSignature: () => readSmallFile(urlOfSignature, from.http, signal) };
  }
}

async function findLocalSignature(file: SmallFile, name: string): Promise<SmallFile | Refusal> {
  const path = join(dirname(file.place), name);
  return (await findSmallFile(path)) ?? { place: path, reason: 'there is no such file' };
}

function signatureUrlOf({ url, signatureUrl }: ChecksumFacts): string {
  return signatureUrl ?? `${url}.gpg`;
}

async function readCandidate(
  { file, readSignature }: Candidate,
  { iso, facts }: Wanted,
  { distrosDir }: IsoSources,
): Promise<LockedContent | Refusal> {
  const { place } = file;
  const text = file.content.toString('utf8');
  // Folders of local media hold files of this name of several distributions: only the ISO's own is looked at closely.
  const content = findChecksum(text, iso.fileName);
  if (content === undefined) return { place, reason: `has no SHA-256 or SHA-512 of ${iso.fileName}` };
  if (content === 'contradiction') return { place, reason: `has different digests of ${iso.fileName}` };
  if (facts.signature === 'none') return { content, foundIn: place };
  const trust = await readTrust(facts, distrosDir);
  if (facts.signature === 'inside') {
    const signed = findChecksum(await readClearSigned(place, text, trust), iso.fileName);
    if (signed !== undefined && signed !== 'contradiction') return { content: signed, foundIn: place };
    return { place, reason: `has a digest of ${iso.fileName} only outside of what is signed` };
  }
  const signature = await readSignature();
  if ('reason' in signature)
    return { ...signature, reason: `no signature of it: ${describeRefusal(signature)}`, place };
  await checkDetached(place, { content: file.content, signature: signature.content }, trust);
  return { content, foundIn: place };
}

async function readTrust({ keyring, url }: ChecksumFacts, distrosDir: string): Promise<Trust> {
  if (keyring === undefined)
    throw noKeyring(`${url} is signed, and the distro's facts name no keyring to check that with.`);
  const path = join(distrosDir, keyring);
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw noKeyring(`The keyring ${path} cannot be read: ${messageOf(cause)}.`, cause);
  });
  const hint =
    'Nothing was fetched. Somebody on the way changed it, or the distribution has a new key; name an ISO that you trust with --iso.';
  return { keyring: bytes, hint };
}

function noKeyring(message: string, cause?: unknown): KvmimgError {
  const hint = 'Put the keyring into distros/keys, and name it as checksums.keyring of the distro in distros/.';
  return new KvmimgError({ code: 'distro-facts', message, hint, cause });
}
