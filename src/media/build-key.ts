import {
  type Config,
  createCleartextMessage,
  createMessage,
  enums,
  generateKey,
  type PrivateKey,
  type PublicKey,
  sign,
} from 'openpgp';

/** A signing key that lives for one build: d-i's gpgv trusts it through the initrd, nobody else does. */
export interface BuildKey {
  /** The public key as a binary keyring, to be put behind another one (`archive.gpg`). */
  readonly publicKeyring: Uint8Array;
  /** A binary detached signature (`Release.gpg`). */
  readonly signDetached: (content: Uint8Array) => Promise<Uint8Array>;
  /** A clear-signed text (`InRelease`). */
  readonly signClear: (text: string) => Promise<string>;
}

// gpgv 2.4 reads version 4 keys only, and EdDSA only in the form that came before RFC 9580.
const config: Partial<Config> = { v6Keys: false, preferredHashAlgorithm: enums.hash.sha512 };
const dayMs = 24 * 3_600_000;

export async function makeBuildKey(): Promise<BuildKey> {
  const date = new Date(Date.now() - dayMs);
  const { privateKey, publicKey } = (await generateKey({
    type: 'ecc',
    curve: 'ed25519Legacy',
    userIDs: [{ name: 'kvmimg build key' }],
    // A guest's clock may be behind the host's; a key from the future would not be valid there.
    date,
    format: 'object',
    config,
  })) as { privateKey: PrivateKey; publicKey: PublicKey };
  const signing = { signingKeys: privateKey, config };
  return {
    publicKeyring: publicKey.write(),
    signDetached: async (content) => {
      const message = await createMessage({ binary: content });
      return (await sign({ message, ...signing, detached: true, format: 'binary' })) as Uint8Array;
    },
    signClear: async (text) => {
      const message = await createCleartextMessage({ text });
      return (await sign({ message, ...signing })) as string;
    },
  };
}
