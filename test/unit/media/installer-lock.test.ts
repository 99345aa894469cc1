import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { installerLockSchema } from '../../../src/distro/schema.ts';
import { makeBuildKey } from '../../../src/media/build-key.ts';
import { makeCpio } from '../../../src/media/cpio.ts';
import { sha256Of } from '../../../src/media/digest.ts';
import { makeLock, makePinnedUrls } from '../../../src/media/installer-lock.ts';
import { packageRoot } from '../../../src/package-root.ts';
import { makeDeb } from './deb-fixture.ts';
import type { FakeMirror } from './fake-mirror.ts';
import { type MediaFixture, makeDeadUrl, makeMediaFixture } from './media-fixture.ts';

const key = await makeBuildKey();
const facts = {
  distro: 'debian-13',
  arch: 'amd64',
  release: '13',
  codename: 'trixie',
  keyring: key.publicKeyring,
  extraUdebs: ['eatmydata-udeb'],
} as const;

const images = 'usr/lib/debian-installer/images/13/amd64/text/debian-installer/amd64';
const udebNames = ['partman', 'libparted', 'eatmydata-udeb', 'ext4-modules-6.12-di'];

interface MirrorState {
  readonly initrdKernel?: string;
  readonly acquireByHash?: boolean;
}

/** A small archive: a netboot package, an index of it, udebs, an index of those, and the signed Release. */
async function startArchive({ initrdKernel = '6.12', acquireByHash = true }: MirrorState = {}): Promise<FakeMirror> {
  const status = `Package: kernel-image-${initrdKernel}-di\n\nPackage: libc6-udeb\n`;
  const initrd = gzipSync(makeCpio([{ path: 'var/lib/dpkg/status', mode: 0o644, content: status }]));
  const netboot = await makeDeb({ [`${images}/initrd.gz`]: initrd, [`${images}/linux`]: 'the kernel' });
  const stanzas = [
    describePackage('partman', 'Priority: standard\nDepends: libparted, libc6-udeb'),
    describePackage('libparted', 'Priority: optional'),
    describePackage('eatmydata-udeb', 'Priority: optional'),
    describePackage('unwanted', 'Priority: optional'),
    describePackage('ext4-modules-6.12-di', 'Priority: standard\nKernel-Version: 6.12'),
  ];
  const netbootName = 'debian-installer-13-netboot-amd64';
  const indices = {
    'main/binary-amd64/Packages.gz': `Package: other\n\n${describePackage(netbootName, 'Priority: optional', netboot)}`,
    'main/debian-installer/binary-amd64/Packages.gz': stanzas.join('\n'),
  };
  const mirror = await fixture.startMirror(Object.fromEntries(udebNames.map((name) => [`pool/${name}`, name])));
  mirror.files.set(`pool/${netbootName}`, { body: netboot });
  const list = Object.entries(indices).map(([path, text]) => {
    const content = gzipSync(text);
    const byHash = `${path.slice(0, path.lastIndexOf('/'))}/by-hash/SHA256/${sha256Of(content)}`;
    mirror.files.set(`dists/trixie/${acquireByHash ? byHash : path}`, { body: content });
    return ` ${sha256Of(content)} ${content.length} ${path}`;
  });
  const fields = ['Version: 13.7', ...(acquireByHash ? ['Acquire-By-Hash: yes'] : []), 'SHA256:', ...list];
  mirror.files.set('dists/trixie/InRelease', { body: Buffer.from(await key.signClear(`${fields.join('\n')}\n`)) });
  return mirror;
}

function describePackage(name: string, fields: string, content: string | Uint8Array = name): string {
  const size = Buffer.byteLength(content);
  const file = `Filename: pool/${name}\nSize: ${size}\nSHA256: ${sha256Of(content)}\n`;
  return `Package: ${name}\nVersion: 1\n${fields}\n${file}`;
}

let fixture: MediaFixture;
beforeEach(async () => {
  fixture = await makeMediaFixture();
});
afterEach(() => fixture.scope.close());

function lockFrom(url: string, overrides: { keyring?: Uint8Array; release?: string } = {}) {
  return makeLock({ ...facts, ...overrides }, fixture.sources({ urls: [url] }), { signal: fixture.signal });
}

describe('makeLock', () => {
  it.each([true, false])('makes a lock of what the signed index names (by hash: %s)', async (acquireByHash) => {
    const mirror = await startArchive({ acquireByHash });
    const lock = await lockFrom(mirror.url);
    expect(lock).toMatchObject({ distro: 'debian-13', suite: 'trixie', release: '13.7', kernelVersion: '6.12' });
    expect(lock.udebs.map((udeb) => udeb.package)).toEqual([...udebNames].sort());
    expect(lock.kernel).toEqual({ member: `${images}/linux`, sizeBytes: 10, sha256: sha256Of('the kernel') });
    expect(lock.netboot.path).toBe('pool/debian-installer-13-netboot-amd64');
    expect(lock.snapshot).toMatch(/^\d{8}T\d{6}Z$/);
    expect(installerLockSchema.parse(lock)).toEqual(lock);
  });

  it('refuses when udebs are missing or of another length, and names each with its URL', async () => {
    const mirror = await startArchive();
    mirror.files.delete('pool/libparted');
    mirror.files.set('pool/partman', { body: Buffer.from('longer than the index says') });
    await expect(lockFrom(mirror.url)).rejects.toMatchObject({
      code: 'lock-refused',
      message: expect.stringContaining('does not have 2 of the 4 udebs'),
      evidence: [
        {
          title: 'Missing',
          lines: [`${mirror.url}/pool/libparted: 404`, `${mirror.url}/pool/partman: 26 bytes, not 7`],
        },
      ],
    });
  });

  it('says that the mirror has moved past the kernel of its netboot image', async () => {
    const mirror = await startArchive({ initrdKernel: '6.11' });
    await expect(lockFrom(mirror.url)).rejects.toThrow(
      'the mirror has moved on: its netboot image has kernel 6.11, its udebs are for 6.12',
    );
  });

  it('says which of its own indices the mirror does not have', async () => {
    const mirror = await startArchive({ acquireByHash: false });
    mirror.files.delete('dists/trixie/main/debian-installer/binary-amd64/Packages.gz');
    await expect(lockFrom(mirror.url)).rejects.toMatchObject({
      code: 'lock-refused',
      message: expect.stringContaining(
        `${mirror.url}/dists/trixie/main/debian-installer/binary-amd64/Packages.gz: answers 404`,
      ),
    });
  });

  it('refuses an archive that the keyring does not know', async () => {
    const mirror = await startArchive();
    const keyring = (await makeBuildKey()).publicKeyring;
    await expect(lockFrom(mirror.url, { keyring })).rejects.toMatchObject({ code: 'bad-signature' });
    expect(mirror.requests).toHaveLength(1);
  });

  it('refuses an index that is not the one that was signed', async () => {
    const mirror = await startArchive({ acquireByHash: false });
    mirror.files.set('dists/trixie/main/binary-amd64/Packages.gz', { body: gzipSync('Package: evil\n') });
    await expect(lockFrom(mirror.url)).rejects.toMatchObject({ code: 'wrong-length' });
  });

  it('says which package is not in the index', async () => {
    const mirror = await startArchive();
    await expect(lockFrom(mirror.url, { release: '14' })).rejects.toThrow(
      'no package debian-installer-14-netboot-amd64',
    );
  });

  it('says which URL has no suite, and that a mirror cannot be reached', async () => {
    const empty = await fixture.startMirror();
    await expect(lockFrom(empty.url)).rejects.toThrow(`${empty.url}/dists/trixie/InRelease answers 404`);
    await expect(lockFrom(await makeDeadUrl())).rejects.toMatchObject({ code: 'mirror-unreachable' });
  });
});

describe('the lock of Debian 13 for arm64', async () => {
  const text = await readFile(join(packageRoot, 'distros', 'debian-13-arm64.lock.json'), 'utf8');
  const lock = installerLockSchema.parse(JSON.parse(text));

  it('is whole: each udeb once, of this kernel or of none', () => {
    expect(new Set(lock.udebs.map((udeb) => udeb.package)).size).toBe(68);
    const kernels = new Set(lock.udebs.map((udeb) => udeb.fields['Kernel-Version']));
    expect([...kernels].sort()).toEqual([lock.kernelVersion, undefined]);
    expect(new Set(lock.udebs.map((udeb) => udeb.fields.Architecture))).toEqual(new Set(['all', 'arm64']));
  });
});

describe('the lock of Debian 13', async () => {
  const text = await readFile(join(packageRoot, 'distros', 'debian-13-amd64.lock.json'), 'utf8');
  const lock = installerLockSchema.parse(JSON.parse(text));

  it('is whole: each udeb once, of this kernel or of none', () => {
    expect(lock.udebs).toHaveLength(81);
    expect(new Set(lock.udebs.map((udeb) => udeb.package)).size).toBe(81);
    const kernels = new Set(lock.udebs.map((udeb) => udeb.fields['Kernel-Version']));
    expect([...kernels].sort()).toEqual([lock.kernelVersion, undefined]);
    expect(lock.udebs.reduce((sum, udeb) => sum + udeb.file.sizeBytes, 0)).toBe(15_616_808);
  });

  it('has its place in the archive', () => {
    expect(makePinnedUrls('http://mirror/debian', 'http://archive/debian/', lock)).toEqual([
      'http://mirror/debian',
      'http://archive/debian/20260901T000000Z',
    ]);
  });
});
