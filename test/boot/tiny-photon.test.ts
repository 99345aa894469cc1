import { describe, expect, it } from 'vitest';
import { photonKickstart } from './answer-files.ts';
import { type Change, diskText, HostInstaller, replaced, withArgument } from './host-installer.ts';

const host = HostInstaller.forEachTest();

describe('the tiny installer of Photon', () => {
  async function install({ arguments: change = (given) => given, answer = (given) => given, ...around }: Change = {}) {
    host.server.files.set('/ks.json', answer(photonKickstart({ callback: host.url })));
    const kernelArguments = change(
      `root=/dev/ram0 loglevel=3 photon.media=cdrom ks=${host.url}ks.json insecure_installation=1 console=ttyS0`,
    );
    return host.run({ family: 'photon', kernelArguments, ...around });
  }

  it('installs, and resets the machine', async () => {
    const ended = await install();
    expect(ended.output).not.toContain('tiny-installer:');
    expect(ended.exitCode).toBe(10);
    expect(diskText(ended)).toBe('tiny-installer: photon on vda');
    expect(ended.output).toContain('Congratulations, Photon has been installed');
    expect([host.posted('/pre'), host.posted('/post')]).toEqual([['pre'], ['post']]);
  });

  it.each<[string, string, Change]>([
    ['no photon.media', 'Please specify RPM repo path', withArgument('photon.media', 'media')],
    ['media it does not know', 'Unsupported installer media', withArgument('=cdrom', '=/dev/sr0')],
    ['http without leave', 'Refusing to download', withArgument('installation=1', 'installation=0')],
    ['two consoles', 'more than one console=', { console: 'tty0 ttyS0' }],
    ['no packages on its medium', 'No repository below', { medium: { 'RPMS/repodata/repomd.xml': undefined } }],
    ['another path', 'Failed to get the kickstart file', withArgument('ks.json', 'ks')],
    ['no JSON', 'JSONDecodeError', replaced(/\}$/, ',}')],
    ['an unknown key', 'Unknown install_config keys: hostnam', replaced('"hostname"', '"hostnam"')],
    ['no disk', 'No disk configured', replaced(/"disk":"[^"]*",/, '')],
    ['another serial', 'Failed to get disk', replaced('virtio-kvmimg-root', 'virtio-other')],
    ['a disk by its name', 'not found by serial', replaced('/dev/disk/by-id/virtio-kvmimg-root', '/dev/sda')],
    ['no root', "no partition assigned to root '/'", replaced('"mountpoint":"/"', '"mountpoint":"/var"')],
    ['no packages', 'No packages', replaced(/"packages":\[[^\]]*\]/, '"packages":[]')],
    ['curses', 'ui: true', replaced('{', '{"ui":true,')],
  ])('refuses %s', async (_, says, wrong) => {
    const ended = await install(wrong);
    expect(ended.output).toContain(says);
    expect(ended.exitCode).toBe(1);
    expect(diskText(ended)).not.toContain('tiny-installer');
  });

  it.each([
    ['asks', /LICENSE AGREEMENT.*<Accept> {3}<Cancel>$/s],
    ['cannot-parse', /JSONDecodeError.*root@photon-installer \[ \/installer \]# $/s],
    ['fails', /Traceback.*root@photon-installer \[ \/installer \]# $/s],
  ] as const)('%s when the scenario says so', async (scenario, says) => {
    const ended = await install({ scenario });
    expect(ended.output).toMatch(says);
    expect(ended.exitCode).toBe(1);
  });
});
