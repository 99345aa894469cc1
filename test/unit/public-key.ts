/** What a recipe takes for the key of a repository; no program would. */
export const publicKey = '-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmDME\n-----END PGP PUBLIC KEY BLOCK-----\n';

/** Any text, as a key that a recipe takes. */
export function asPublicKey(text: string): string {
  return `-----BEGIN PGP PUBLIC KEY BLOCK-----\n${text}`;
}
