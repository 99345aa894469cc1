import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { InstallerLock } from '../../../src/distro/schema.ts';
import { openNetboot } from '../../../src/media/netboot.ts';
import { makeDeb } from './deb-fixture.ts';
import { listCache, type MediaFixture, makeMediaFixture, makePinnedFile } from './media-fixture.ts';

const deb = await makeDeb({ 'images/initrd.gz': 'the initrd', 'images/linux': 'the kernel', 'images/other': 'x' });
const lock: InstallerLock = {
  lockVersion: 1,
  distro: 'debian-13',
  arch: 'amd64',
  suite: 'trixie',
  release: '13.6',
  kernelVersion: '6.12',
  netboot: makePinnedFile('pool/netboot.deb', deb),
  kernel: makeMember('images/linux', 'the kernel'),
  initrd: makeMember('images/initrd.gz', 'the initrd'),
  udebs: [],
};

function makeMember(member: string, content: string): InstallerLock['kernel'] {
  const { sha256, sizeBytes } = makePinnedFile(member, content);
  return { member, sha256, sizeBytes };
}

let fixture: MediaFixture;
beforeEach(async () => {
  fixture = await makeMediaFixture();
});
afterEach(() => fixture.scope.close());

describe('openNetboot', () => {
  it('takes kernel and initrd out of the fetched package, and needs nothing the second time', async () => {
    const mirror = await fixture.startMirror({ 'pool/netboot.deb': deb });
    const from = fixture.sources({ urls: [mirror.url] });
    const { kernelPath, initrdPath } = await openNetboot(lock, from, { signal: fixture.signal });
    expect(await readFile(kernelPath, 'utf8')).toBe('the kernel');
    expect(await readFile(initrdPath, 'utf8')).toBe('the initrd');
    const offline = fixture.sources({ offline: true });
    expect(await openNetboot(lock, offline, { signal: fixture.signal })).toEqual({ kernelPath, initrdPath });
    expect(mirror.requests).toHaveLength(1);
  });

  it.each(['netboot', '.'])('takes them from %s in a local media folder', async (folder) => {
    const dir = join(fixture.dir, 'media', folder);
    await mkdir(dir, { recursive: true });
    await writeFile(join(dir, 'linux'), 'the kernel');
    await writeFile(join(dir, 'initrd.gz'), 'the initrd');
    const from = fixture.sources({ mediaDirs: [join(fixture.dir, 'media')], offline: true });
    const { kernelPath } = await openNetboot(lock, from, { signal: fixture.signal });
    expect(kernelPath).toBe(join(fixture.cacheDir, 'media', lock.kernel.sha256));
  });

  it('refuses a package whose kernel is not that of the lock, and does not keep it', async () => {
    const mirror = await fixture.startMirror({ 'pool/netboot.deb': deb });
    const wrong = { ...lock, kernel: makeMember('images/linux', 'a kernel') };
    const from = fixture.sources({ urls: [mirror.url] });
    await expect(openNetboot(wrong, from, { signal: fixture.signal })).rejects.toThrow(wrong.kernel.sha256);
    expect(await listCache(fixture.cacheDir)).toEqual([lock.netboot.sha256]);
  });
});
