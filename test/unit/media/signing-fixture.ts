import { armor, enums } from 'openpgp';
import { type BuildKey, makeBuildKey } from '../../../src/media/build-key.ts';

export interface SigningKey extends BuildKey {
  readonly signArmoured: (content: Uint8Array) => Promise<Uint8Array>;
  readonly armouredKeyring: Uint8Array;
}

/** A key that signs files of checksums, in each form that distributions use. */
export async function makeSigningKey(): Promise<SigningKey> {
  const key = await makeBuildKey();
  return {
    ...key,
    signArmoured: async (content) => Buffer.from(armor(enums.armor.signature, await key.signDetached(content))),
    armouredKeyring: Buffer.from(armor(enums.armor.publicKey, key.publicKeyring)),
  };
}
