import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  distrosDir,
  findDistro,
  findInstallerLock,
  listDistroIds,
  loadDistros,
  readKeyring,
} from '../../../src/distro/catalogue.ts';
import { skippedUdebs } from '../../../src/distro/skipped-udebs.ts';

describe('the catalogue', () => {
  it('lists what can be built', async () => {
    expect(await listDistroIds()).toContain('debian-13');
  });

  it('has complete facts, and a keyring and a lock for every Debian', async () => {
    const debians = (await loadDistros()).filter((distro) => distro.family === 'debian');
    expect(debians.map(({ id }) => id)).toEqual(['debian-12', 'debian-13']);
    for (const distro of debians) {
      expect((await readKeyring(distro)).byteLength).toBeGreaterThan(0);
      for (const arch of distro.arches) {
        const lock = await findInstallerLock(distro, arch);
        expect(lock, `${distro.id} ${arch}`).toMatchObject({ distro: distro.id, arch, suite: distro.codename });
      }
    }
  });

  it.each(['debian-99', '', '../package', 'keys', 'debian-13.yaml'])('finds nothing by the name %j', async (id) => {
    expect(await findDistro(id)).toBeUndefined();
  });

  it('leaves out only udebs that the lock has, and keeps what an install needs', async () => {
    const distro = await findDistro('debian-13');
    const lock = distro && (await findInstallerLock(distro, 'amd64'));
    if (distro?.family !== 'debian' || !lock) throw new Error('no debian-13');
    const skipped = skippedUdebs(distro, lock, { layout: 'single', filesystem: 'ext4' });
    expect(skipped).toHaveLength(distro.skipUdebs.length);
    const kept = lock.udebs.map((udeb) => udeb.package).filter((name) => !skipped.includes(name));
    expect(kept).toEqual(expect.arrayContaining(['partman-efi', 'bootstrap-base', 'pkgsel', 'nobootloader']));
  });

  it.each(['debian-12', 'debian-13'])('has %s load what LVM and XFS need, and nothing else', async (id) => {
    const distro = await findDistro(id);
    const lock = distro && (await findInstallerLock(distro, 'amd64'));
    if (distro?.family !== 'debian' || !lock) throw new Error(`no ${id}`);
    const least = skippedUdebs(distro, lock, { layout: 'single', filesystem: 'ext4' });
    const needed = (layout: 'single' | 'lvm', filesystem: 'ext4' | 'xfs'): string[] => {
      const skipped = skippedUdebs(distro, lock, { layout, filesystem });
      return least.filter((name) => !skipped.includes(name)).map((name) => name.replace(/-\d.*/, ''));
    };
    const lvm = ['libaio1-udeb', 'lvm2-udeb', 'md-modules', 'partman-auto-lvm', 'partman-lvm'];
    const xfs = ['libinih1-udeb', 'liburcu8-udeb', 'partman-xfs', 'xfs-modules', 'xfsprogs-udeb'];
    expect(needed('lvm', 'ext4')).toEqual(lvm);
    expect(needed('single', 'xfs')).toEqual(xfs);
    expect(needed('lvm', 'xfs')).toEqual([...lvm, ...xfs].sort());
  });

  it('says which file is wrong, and how', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'kvmimg-distros-'));
    const good = await readFile(join(distrosDir, 'debian-13.yaml'), 'utf8');
    await writeFile(join(dir, 'debian-13.yaml'), good.replace('codename: trixie', 'codenmae: trixie'));
    await expect(findDistro('debian-13', dir)).rejects.toMatchObject({
      code: 'distro-facts',
      message: expect.stringMatching(/debian-13\.yaml cannot be used: [\s\S]*codename/),
    });
    await writeFile(join(dir, 'other.yaml'), good);
    await expect(findDistro('other', dir)).rejects.toMatchObject({
      message: expect.stringContaining('its id is debian-13'),
    });
    await rm(dir, { recursive: true });
  });
});
