import { gunzipSync } from 'node:zlib';
import { createMessage, readCleartextMessage, readKey, readSignature, verify } from 'openpgp';
import { describe, expect, it } from 'vitest';
import type { InstallerLock } from '../../../src/distro/schema.ts';
import { makeBuildKey } from '../../../src/media/build-key.ts';
import { parseStanzas } from '../../../src/media/control-stanzas.ts';
import { sha256Of } from '../../../src/media/digest.ts';
import { makeUdebIndex } from '../../../src/media/udeb-index.ts';
import { makePinnedFile } from './media-fixture.ts';

const member = { member: 'linux', sizeBytes: 1, sha256: 'a'.repeat(64) };
const lock: InstallerLock = {
  lockVersion: 1,
  distro: 'debian-13',
  arch: 'amd64',
  suite: 'trixie',
  release: '13.6',
  kernelVersion: '6.12',
  netboot: makePinnedFile('pool/netboot.deb', 'x'),
  kernel: member,
  initrd: member,
  udebs: [
    makeUdeb('partman', { Depends: 'parted (>= 3), ntfs-3g-udeb, libc6-udeb', Priority: 'standard' }),
    makeUdeb('mount-ntfs', { Depends: 'ntfs-3g-udeb (>= 1)', Priority: 'standard' }),
    makeUdeb('ntfs-3g-udeb', { Priority: 'optional' }),
  ],
};

function makeUdeb(name: string, fields: Record<string, string>): InstallerLock['udebs'][number] {
  return { package: name, version: '1:2-3', file: makePinnedFile(`pool/${name}.udeb`, name), fields };
}

const buildKey = await makeBuildKey();
const folder = 'dists/kvmimg/main/debian-installer/binary-amd64';

async function makeIndex(skip: readonly string[] = []): Promise<ReadonlyMap<string, string>> {
  const files = await makeUdebIndex(lock, { skip, buildKey });
  return new Map([...files].map(([path, content]) => [path, Buffer.from(content).toString('latin1')]));
}

describe('makeUdebIndex', () => {
  it('lists each udeb with its fields, path, size and digest', async () => {
    const index = await makeIndex();
    const [first] = parseStanzas(index.get(`${folder}/Packages`) ?? '');
    expect([...(first ?? [])]).toEqual([
      ['Package', 'partman'],
      ['Version', '1:2-3'],
      ['Depends', 'parted (>= 3), ntfs-3g-udeb, libc6-udeb'],
      ['Priority', 'standard'],
      ['Filename', 'pool/partman.udeb'],
      ['Size', '7'],
      ['SHA256', sha256Of('partman')],
    ]);
    const unzipped = gunzipSync(Buffer.from(index.get(`${folder}/Packages.gz`) ?? '', 'latin1')).toString();
    expect(unzipped).toBe(index.get(`${folder}/Packages`));
  });

  it('leaves skipped udebs out, and every dependency on them', async () => {
    const packages = (await makeIndex(['ntfs-3g-udeb'])).get(`${folder}/Packages`) ?? '';
    expect(packages).not.toContain('ntfs-3g');
    expect(packages).toContain('Depends: parted (>= 3), libc6-udeb\n');
    expect(parseStanzas(packages)[1]?.has('Depends')).toBe(false);
  });

  it('has a Release with what net-retriever reads: components, and a list of digests', async () => {
    const index = await makeIndex();
    const release = index.get('dists/kvmimg/Release') ?? '';
    expect(release).toMatch(/^Components: main$/m);
    expect(release).toMatch(/^Architectures: amd64$/m);
    expect(release).toMatch(/^SHA256:$/m);
    for (const name of ['Packages', 'Packages.gz']) {
      const content = Buffer.from(index.get(`${folder}/${name}`) ?? '', 'latin1');
      const path = `main/debian-installer/binary-amd64/${name}`;
      expect(release).toContain(`\n ${sha256Of(content)} ${content.length} ${path}\n`);
    }
  });

  it('is signed by the build key, detached and clear', async () => {
    const index = await makeIndex();
    const verificationKeys = await readKey({ binaryKey: buildKey.publicKeyring });
    const release = index.get('dists/kvmimg/Release') ?? '';
    const detached = await verify({
      message: await createMessage({ binary: Buffer.from(release) }),
      signature: await readSignature({
        binarySignature: Buffer.from(index.get('dists/kvmimg/Release.gpg') ?? '', 'latin1'),
      }),
      verificationKeys,
    });
    expect(await detached.signatures[0]?.verified).toBe(true);
    const clear = await readCleartextMessage({ cleartextMessage: index.get('dists/kvmimg/InRelease') ?? '' });
    expect(await (await verify({ message: clear, verificationKeys })).signatures[0]?.verified).toBe(true);
  });
});
