import { createMessage, type PublicKey, readCleartextMessage, readKeys, readSignature, verify } from 'openpgp';
import { KvmimgError, messageOf } from '../errors.ts';

/** Who may have signed, and what to do where nobody of them has. */
export interface Trust {
  /** OpenPGP keys, binary or ASCII-armoured. */
  readonly keyring: Uint8Array;
  readonly hint: string;
}

/**
 * What a clear-signed text says, without its signature.
 *
 * Like apt it wants one good signature and none that is bad; signatures of keys that it does not know do not count.
 *
 * @param place names the text in messages: its URL or path
 * @throws KvmimgError `bad-signature`
 */
export async function readClearSigned(place: string, text: string, trust: Trust): Promise<string> {
  const message = await readCleartextMessage({ cleartextMessage: text }).catch((cause: unknown) => {
    throw badSignature(place, { reason: `it is not a clear-signed text (${messageOf(cause)})`, trust, cause });
  });
  const { data, signatures } = await verify({ message, verificationKeys: await readKeyring(place, trust) });
  await wantGood(place, signatures, trust);
  return data;
}

/** A content, and the signature that is a file of its own. */
export interface DetachedSignature {
  readonly content: Uint8Array;
  /** Binary or ASCII-armoured. */
  readonly signature: Uint8Array;
}

/**
 * Wants a good signature beside a content, by the rule of `readClearSigned`.
 *
 * @throws KvmimgError `bad-signature`
 */
export async function checkDetached(
  place: string,
  { content, signature: bytes }: DetachedSignature,
  trust: Trust,
): Promise<void> {
  const signature = await parseSignature(bytes).catch((cause: unknown) => {
    throw badSignature(place, { reason: `what should be its signature is none (${messageOf(cause)})`, trust, cause });
  });
  const message = await createMessage({ binary: content });
  const { signatures } = await verify({ message, signature, verificationKeys: await readKeyring(place, trust) });
  await wantGood(place, signatures, trust);
}

function parseSignature(bytes: Uint8Array) {
  if (!isArmoured(bytes)) return readSignature({ binarySignature: bytes });
  return readSignature({ armoredSignature: Buffer.from(bytes).toString('latin1') });
}

function readKeyring(place: string, trust: Trust): Promise<PublicKey[]> {
  return parseKeyring(trust.keyring).catch((cause: unknown) => {
    throw badSignature(place, { reason: `the keyring cannot be read (${messageOf(cause)})`, trust, cause });
  });
}

async function parseKeyring(keyring: Uint8Array): Promise<PublicKey[]> {
  if (!isArmoured(keyring)) return readKeys({ binaryKeys: keyring });
  const text = Buffer.from(keyring).toString('latin1');
  // One file may hold several armoured keys, one after the other.
  const blocks = text.match(/-----BEGIN PGP PUBLIC KEY BLOCK-----.*?-----END PGP PUBLIC KEY BLOCK-----/gs) ?? [];
  const keys = await Promise.all(blocks.map((armoredKeys) => readKeys({ armoredKeys })));
  return keys.flat();
}

function isArmoured(bytes: Uint8Array): boolean {
  return Buffer.from(bytes).includes('-----BEGIN PGP ');
}

interface SignatureResult {
  readonly keyID: { readonly toHex: () => string };
  readonly verified: Promise<unknown>;
}

async function wantGood(place: string, signatures: readonly SignatureResult[], trust: Trust): Promise<void> {
  const verdicts = await Promise.all(signatures.map(({ verified }) => verdictOf(verified)));
  const bad = verdicts.find((verdict) => verdict.kind === 'bad');
  if (bad?.kind === 'bad') throw badSignature(place, { reason: `its signature is wrong: ${bad.reason}`, trust });
  if (verdicts.some(({ kind }) => kind === 'good')) return;
  const signers = signatures.map(({ keyID }) => keyID.toHex()).join(', ') || 'nobody';
  throw badSignature(place, { reason: `it is signed by ${signers}, and the keyring knows none of them`, trust });
}

type Verdict = { readonly kind: 'good' | 'unknown' } | { readonly kind: 'bad'; readonly reason: string };

async function verdictOf(verified: Promise<unknown>): Promise<Verdict> {
  try {
    await verified;
    return { kind: 'good' };
  } catch (error) {
    const reason = messageOf(error);
    return /could not find signing key/i.test(reason) ? { kind: 'unknown' } : { kind: 'bad', reason };
  }
}

interface BadSignature {
  readonly reason: string;
  readonly trust: Trust;
  readonly cause?: unknown;
}

function badSignature(place: string, { reason, trust, cause }: BadSignature): KvmimgError {
  return new KvmimgError({
    code: 'bad-signature',
    message: `${place} cannot be trusted: ${reason}.`,
    hint: trust.hint,
    cause,
  });
}
