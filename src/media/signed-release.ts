import { readCleartextMessage, readKeys, verify } from 'openpgp';
import { KvmimgError, messageOf } from '../errors.ts';
import { parseRelease, type Release } from './release.ts';

/**
 * Reads a clear-signed `InRelease` whose signature is good by a key of the keyring.
 *
 * Like apt it wants one good signature and none that is bad; signatures of keys that it does not know do not count.
 *
 * @param keyring binary OpenPGP keys
 * @throws KvmimgError `bad-signature`
 */
export async function readSignedRelease(url: string, text: string, keyring: Uint8Array): Promise<Release> {
  const verificationKeys = await readKeys({ binaryKeys: keyring });
  const message = await readCleartextMessage({ cleartextMessage: text }).catch((cause: unknown) => {
    throw badSignature(url, `it is not a clear-signed text (${messageOf(cause)})`, cause);
  });
  const { data, signatures } = await verify({ message, verificationKeys });
  const verdicts = await Promise.all(signatures.map(({ verified }) => verdictOf(verified)));
  const bad = verdicts.find((verdict) => verdict.kind === 'bad');
  if (bad?.kind === 'bad') throw badSignature(url, `its signature is wrong: ${bad.reason}`);
  if (!verdicts.some(({ kind }) => kind === 'good')) {
    const signers = signatures.map(({ keyID }) => keyID.toHex()).join(', ') || 'nobody';
    throw badSignature(url, `it is signed by ${signers}, and the keyring knows none of them`);
  }
  return parseRelease(data);
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

function badSignature(url: string, reason: string, cause?: unknown): KvmimgError {
  return new KvmimgError({
    code: 'bad-signature',
    message: `${url} cannot be trusted: ${reason}.`,
    hint: 'Use a mirror of the distribution itself. No lock was written.',
    cause,
  });
}
