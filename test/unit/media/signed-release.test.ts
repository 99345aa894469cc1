import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readKeys } from 'openpgp';
import { describe, expect, it } from 'vitest';
import { makeBuildKey } from '../../../src/media/build-key.ts';
import { readSignedRelease } from '../../../src/media/signed-release.ts';
import { packageRoot } from '../../../src/package-root.ts';

const archiveKey = await makeBuildKey();
const otherKey = await makeBuildKey();
const release = 'Suite: stable\nVersion: 13.7\n';
const signed = await archiveKey.signClear(release);
const url = 'http://mirror/dists/trixie/InRelease';

describe('readSignedRelease', () => {
  it('reads what a key of the keyring has signed', async () => {
    const { fields } = await readSignedRelease(url, signed, archiveKey.publicKeyring);
    expect(fields.get('Version')).toBe('13.7');
  });

  it('finds the key among several', async () => {
    const keyring = Buffer.concat([otherKey.publicKeyring, archiveKey.publicKeyring]);
    expect((await readSignedRelease(url, signed, keyring)).fields.get('Suite')).toBe('stable');
  });

  it.each([
    ['changed after it was signed', signed.replace('13.7', '13.8'), archiveKey, 'its signature is wrong'],
    ['signed by a key that is not in the keyring', signed, otherKey, 'the keyring knows none of them'],
    ['not signed', release, archiveKey, 'it is not a clear-signed text'],
    ['an error page', '<html>404</html>', archiveKey, 'it is not a clear-signed text'],
  ])('refuses a text that is %s', async (_, text, key, reason) => {
    const reading = readSignedRelease(url, text, key.publicKeyring);
    await expect(reading).rejects.toMatchObject({ code: 'bad-signature', message: expect.stringContaining(reason) });
    await expect(reading).rejects.toThrow(url);
  });
});

describe("Debian's keyring in distros/keys", () => {
  it('holds the three keys of Debian 13', async () => {
    const path = join(packageRoot, 'distros', 'keys', 'debian-archive-keyring.gpg');
    const keys = await readKeys({ binaryKeys: await readFile(path) });
    const owners = keys.flatMap((key) => key.getUserIDs()).filter((owner) => owner.includes('13/trixie'));
    expect(owners.map((owner) => owner.slice(0, owner.indexOf(' (')))).toEqual([
      'Debian Archive Automatic Signing Key',
      'Debian Security Archive Automatic Signing Key',
      'Debian Stable Release Key',
    ]);
  });
});
