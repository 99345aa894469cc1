import { readClearSigned } from './openpgp-signature.ts';
import { parseRelease, type Release } from './release.ts';

/**
 * Reads a clear-signed `InRelease` whose signature is good by a key of the keyring.
 *
 * @param keyring OpenPGP keys
 * @throws KvmimgError `bad-signature`
 */
export async function readSignedRelease(url: string, text: string, keyring: Uint8Array): Promise<Release> {
  const hint = 'Use a mirror of the distribution itself. No lock was written.';
  return parseRelease(await readClearSigned(url, text, { keyring, hint }));
}
