import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { machineFactsOfBuild } from '../../../src/export/build-record.ts';
import { type MachineFacts, machineFactsOfOva, makeMachineFacts } from '../../../src/export/machine-facts.ts';
import { makeOvf } from '../../../src/export/ovf.ts';
import { parseOvf, unitBytes } from '../../../src/export/ovf-reader.ts';
import { recordBuild } from './recorded-build.ts';

const disk = {
  fileName: 'debian-13.vmdk',
  fileSizeBytes: 398_461_440,
  capacityBytes: 8 * 2 ** 30,
  populatedBytes: 1_258_291_200,
};
const factsOf = async (settings: object = {}): Promise<MachineFacts> =>
  makeMachineFacts(machineFactsOfBuild(await recordBuild(settings)));
const debian = await factsOf();
const otherMachine = {
  hardwareVersion: 20,
  controller: 'lsilogic',
  diskEnableUuid: false,
  osType: 'debian12_64Guest',
};
const golden = new URL('../../../fixtures/golden/ova/', import.meta.url);

describe('makeOvf', () => {
  it.each([
    ['debian-13-bios.ovf', {}],
    ['debian-13-efi.ovf', { firmware: 'uefi', ovf: otherMachine }],
  ])('writes %s of what a build has recorded', async (fileName, settings) => {
    await expect(makeOvf('debian-13', await factsOf(settings), disk)).toMatchFileSnapshot(
      new URL(fileName, golden).pathname,
    );
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

  it.each<[keyof MachineFacts, object, object]>([
    ['hardwareVersion', { hardwareVersion: 17 }, { hardwareVersion: 'vmx-17' }],
    ['controller', { controller: 'lsilogic' }, { controllers: ['lsilogic'] }],
    ['diskEnableUuid', { diskEnableUuid: false }, { extraConfig: {} }],
    ['osType', { osType: 'debian12_64Guest' }, { osType: 'debian12_64Guest', osId: 96 }],
  ])('says what the recipe says of %s, which another OVA made of it says too', async (name, ovf, told) => {
    const facts = await factsOf({ ovf });
    const read = await parseOvf(makeOvf('a', facts, disk));
    expect(read).toMatchObject(told);
    expect(facts[name]).not.toEqual(debian[name]);
    expect(makeMachineFacts(machineFactsOfOva(read))).toEqual(facts);
    expect({ ...facts, [name]: debian[name] }).toEqual(debian);
  });

  it.each([
    ['VirtualSCSI', 'pvscsi'],
    ['virtualscsi', 'pvscsi'],
    ['LSILogic', 'lsilogic'],
    ['lsilogicsas', 'pvscsi'],
  ])('takes the controller %s of another writer for %s', async (subType, controller) => {
    const text = makeOvf('a', debian, disk).replace('>VirtualSCSI<', `>${subType}<`);
    expect(makeMachineFacts(machineFactsOfOva(await parseOvf(text)))).toMatchObject({ controller });
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

describe('the properties of a build', () => {
  const image = (name: string, version: string) => ({ name, version, arch: 'amd64' });
  it.each([
    [
      'Debian',
      [image('linux-image-amd64', '6.12.63-1'), image('linux-image-6.12.57+deb13-amd64', '6.12.57-1')],
      '6.12.57-1',
    ],
    [
      'two kernels',
      [image('linux-image-6.8.0-101-generic', '6.8.0-101.1'), image('linux-image-6.8.0-88-generic', '6.8.0-88.89')],
      '6.8.0-101.1',
    ],
    ['the Red Hat family', [image('kernel', '5.14.0-9'), image('kernel-core', '5.14.0-611.el9')], '5.14.0-611.el9'],
    ['Photon', [image('linux-api-headers', '6.1-1'), image('linux-esx', '6.1.158-1.ph5')], '6.1.158-1.ph5'],
    ['no kernel', [image('bash', '5.2')], undefined],
  ])('tell the kernel of %s', async (_, packages, version) => {
    const { properties } = makeMachineFacts(machineFactsOfBuild(await recordBuild({}, packages)));
    expect(properties?.KERNEL_VERSION).toBe(version);
  });

  it('tell what was built, by what, and no time', async () => {
    expect((await factsOf({ name: 'web' })).properties).toEqual({
      IMAGE_NAME: 'web',
      KVMIMG_VERSION: '0.1.0',
      DISTRO_ID: 'debian-13',
      DISTRO_VERSION: '13',
      DISTRO_ARCH: 'amd64',
      KERNEL_VERSION: '6.12.57-1',
    });
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
