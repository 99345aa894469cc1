import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readOva } from '../../src/export/ova-reader.ts';
import type { OvfDescription } from '../../src/export/ovf-reader.ts';
import { readPackageVersion } from '../../src/package-root.ts';
import { type FakeSite, makeFakeSite } from './fake-site.ts';

const timeoutMs = 120_000;

/** Whole builds with the fake QEMU: what the OVA says of its machine. */
describe('the OVA of a build', { timeout: timeoutMs }, () => {
  let site: FakeSite;
  beforeEach(async () => {
    site = await makeFakeSite();
  });
  afterEach(() => site.close());

  const build = async (settings: object) => {
    const subject = await site.writeRecipe('web', { formats: ['qcow2', 'ova'], ...settings });
    const ended = await site.build({ subject, scenario: 'builds', args: ['--force'] }).ended;
    expect(ended.exitCode, ended.said).toBe(0);
    return ended;
  };
  const convert = async (image: string, ...flags: readonly string[]): Promise<OvfDescription> => {
    const folder = join(site.root, 'converted');
    const words = ['convert', join(site.outDir, image), '--format', 'ova', '-o', folder, '--force', ...flags];
    const ended = await site.run(words).ended;
    expect(ended.exitCode, ended.said).toBe(0);
    return (await readOva(join(folder, 'web.ova'))).descriptor;
  };
  const built = async (): Promise<OvfDescription> => (await readOva(join(site.outDir, 'web.ova'))).descriptor;

  it('names what was built, and another machine for it is an export alone', async () => {
    await build({});
    const first = await built();
    expect(first).toMatchObject({ hardwareVersion: 'vmx-15', controllers: ['VirtualSCSI'] });
    expect(first.properties).toMatchObject({
      IMAGE_NAME: 'web',
      KVMIMG_VERSION: readPackageVersion(),
      DISTRO_ID: 'fake-13',
      DISTRO_VERSION: '13',
      DISTRO_ARCH: 'amd64',
    });
    const before = (await site.machineStarts()).length;
    const qcow2 = await stat(join(site.outDir, 'web.qcow2'));
    const ovf = { hardwareVersion: 20, controller: 'lsilogic', diskEnableUuid: false, osType: 'debian12_64Guest' };
    const { said } = await build({ ovf });
    expect(said).toContain('export ova will run, because');
    expect(await site.machineStarts()).toHaveLength(before);
    expect(await stat(join(site.outDir, 'web.qcow2'))).toMatchObject({ ino: qcow2.ino, mtimeMs: qcow2.mtimeMs });
    const told = { hardwareVersion: 'vmx-20', controllers: ['lsilogic'], extraConfig: {}, osType: 'debian12_64Guest' };
    const second = await built();
    expect(second).toMatchObject({ ...told, properties: first.properties });

    for (const image of ['web.qcow2', 'web.ova']) {
      expect(await convert(image), image).toMatchObject({ ...told, properties: first.properties });
    }
    const flags = [
      '--hardware-version',
      '17',
      '--controller',
      'pvscsi',
      '--disk-enable-uuid',
      '--os-type',
      'otherGuest',
    ];
    expect(await convert('web.qcow2', ...flags)).toMatchObject({
      ...{ hardwareVersion: 'vmx-17', controllers: ['VirtualSCSI'], osType: 'otherGuest' },
      ...{ extraConfig: { 'disk.EnableUUID': 'TRUE' }, properties: first.properties },
    });
    expect(await convert('web.ova', '--no-disk-enable-uuid', '--os-type', 'otherGuest')).toMatchObject({
      ...told,
      osType: 'otherGuest',
    });
  });
});
