import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { type MachineFacts, machineFactsOfOva, makeMachineFacts } from '../../../src/export/machine-facts.ts';
import { makeOvf } from '../../../src/export/ovf.ts';
import { parseOvf, unitBytes } from '../../../src/export/ovf-reader.ts';

const disk = {
  fileName: 'debian-13.vmdk',
  fileSizeBytes: 398_461_440,
  capacityBytes: 8 * 2 ** 30,
  populatedBytes: 1_258_291_200,
};
const debian: MachineFacts = {
  osId: 96,
  osType: 'debian10_64Guest',
  hardwareVersion: 15,
  cpus: 2,
  memoryBytes: 2 * 2 ** 30,
  firmware: 'bios',
  secureBoot: false,
  title: 'Debian 13 (trixie)',
  productVersion: '13',
  properties: { KVMIMG_VERSION: '0.1.0' },
  diskEnableUuid: true,
};
const golden = new URL('../../../fixtures/golden/ova/', import.meta.url);

describe('makeOvf', () => {
  it.each([
    ['debian-13-bios.ovf', debian],
    ['debian-13-efi.ovf', { ...debian, firmware: 'efi' as const, diskEnableUuid: false, properties: {} }],
  ])('writes %s', async (fileName, facts) => {
    await expect(makeOvf('debian-13', facts, disk)).toMatchFileSnapshot(new URL(fileName, golden).pathname);
  });

  it('has no boot order, which would make an EFI machine a BIOS one', async () => {
    expect(await readFile(new URL('debian-13-efi.ovf', golden), 'utf8')).not.toContain('BootOrder');
  });

  it('says what the reader reads', async () => {
    const read = await parseOvf(makeOvf('debian-13', debian, disk));
    expect(read).toMatchObject({
      name: 'debian-13',
      hardwareVersion: 'vmx-15',
      transport: 'com.vmware.guestInfo',
      controllers: ['VirtualSCSI'],
      nics: [{ type: 'VmxNet3', network: 'nic0' }],
      networks: ['nic0'],
      files: [{ id: 'file1', href: 'debian-13.vmdk', sizeBytes: 398_461_440 }],
      disks: [{ diskId: 'vmdisk1', fileRef: 'file1', capacityBytes: 8 * 2 ** 30 }],
      hostResources: ['ovf:/disk/vmdisk1'],
      extraConfig: { 'disk.EnableUUID': 'TRUE' },
    });
    expect(makeMachineFacts(machineFactsOfOva(read))).toEqual(debian);
  });

  it('rounds memory up to what vSphere takes', async () => {
    const ovf = makeOvf('a', { ...debian, memoryBytes: 1_000_000_001 }, disk);
    expect((await parseOvf(ovf)).memoryBytes).toBe(956 * 2 ** 20);
  });

  it.each(['</Product><x/>', '"&<>\'', ']]>', 'a b', '$(id)', '%end #', 'Grüße 🐧'])(
    'keeps %j as text',
    async (title) => {
      const ovf = makeOvf('a', { ...debian, title, properties: { key: title } }, disk);
      expect(await parseOvf(ovf)).toMatchObject({ title, properties: { key: title } });
    },
  );

  it('leaves out what XML cannot hold', async () => {
    const ovf = makeOvf('a', { ...debian, title: 'a\0b\x1bc\ud800d', properties: { 'a.b:c': 'x\ny' } }, disk);
    expect(await parseOvf(ovf)).toMatchObject({ title: 'a b c\ufffdd', properties: { a_b_c: 'x y' } });
  });
});

describe('parseOvf', () => {
  it.each([
    ['nothing', ''],
    ['no XML', 'SHA256(a)= b'],
    ['half of it', makeOvf('a', debian, disk).slice(0, 900)],
    ['other XML', '<a><VirtualSystem/></a>'],
    ['no system', '<Envelope/>'],
  ])('refuses %s', async (_, text) => {
    await expect(parseOvf(text)).rejects.toMatchObject({ code: 'ovf-damaged' });
  });

  it('does not let names of elements reach into objects', async () => {
    const text =
      '<Envelope><__proto__ polluted="yes"/><VirtualSystem><constructor/><Name>a</Name></VirtualSystem></Envelope>';
    expect((await parseOvf(text)).name).toBe('a');
    expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false);
  });
});

describe('unitBytes', () => {
  it.each([
    [undefined, 1],
    ['byte', 1],
    ['byte * 2^20', 2 ** 20],
    ['byte*2^30', 2 ** 30],
    ['MegaBytes', 2 ** 20],
  ])('%s is %d bytes', (units, bytes) => {
    expect(unitBytes(units)).toBe(bytes);
  });
});
