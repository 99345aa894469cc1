import { describe, expect, it } from 'vitest';
import { makeFarewellScript, makeSealScript } from '../../../src/guest/seal-script.ts';
import { findPathObstacle } from '../../../src/recipe/sealed-files.ts';

describe('findPathObstacle', () => {
  it.each([
    ['/etc', /is a folder$/],
    ['/usr/local/bin', /is a folder$/],
    ['/run/motd', /is not on the disk/],
    ['/dev/shm/x', /is not on the disk/],
    ['/etc/sysctl.d/90-kvmimg.conf', /is written by kvmimg$/],
    ['/var/log/mine', /is emptied/],
  ])('refuses %s', (path, message) => {
    expect(findPathObstacle(path, 'text')?.message).toMatch(message);
  });

  it.each([
    ...['/etc/hosts', '/etc/machine-id', '/root/.ssh/authorized_keys', '/etc/cloud/ds-identify.cfg'],
    ...['/var/lib/cloud/seed/nocloud/user-data', '/etc/netplan/50-cloud-init.yaml', '/etc/ssh/ssh_host_rsa_key'],
    ...['/etc/udev/rules.d/70-persistent-net.rules', '/etc/apt/sources.list.d/ubuntu.sources', '/tmp/a/b'],
    ...['/etc/apt/sources.list.d/debian.sources', '/etc/cloud/cloud.cfg.d/99-installer.cfg', '/var/tmp/x'],
    ...['/etc/apt/apt.conf.d/10-kvmimg', '/etc/sudoers.d/kvmimg-build', '/home/ops/.bash_history'],
    ...['/root/.zsh_history', '/home/ops/.python_history', '/home/ops/.local/state/lesshst', '/root/.viminfo'],
    ...['/var/log/mine.zst', '/var/log/mine/a.xz', '/var/log/a-20261123'],
    ...['/var/log/mine.log', '/var/log/mine/a.gz', '/var/log/a.1', '/var/log/syslog', '/var/backups/a'],
  ])('refuses %s, which the seal writes or removes', (path) => {
    expect(findPathObstacle(path, 'text')?.message).toMatch(/is written or removed when the image is sealed$/);
  });

  it.each([
    ...[
      '/etc/motd',
      '/etc/network/interfaces.d/eth1',
      '/etc/netplan/60-mine.yaml',
      '/etc/netplan/01-netcfg.yaml',
      '/etc/systemd/network/20-mine.network',
    ],
    ...['/etc/apt/sources.list.d/mine.sources', '/etc/apt/apt.conf.d/90-mine', '/etc/cloud/cloud.cfg.d/90-mine.cfg'],
    ...['/etc/sudoers.d/mine', '/etc/udev/rules.d/70-mine.rules', '/etc/sysctl.d/99-mine.conf', '/root/setup.sh'],
    ...[
      '/etc/hosts.allow',
      '/etcetera/hosts',
      '/var/lib/mine/state',
      '/var/cache/mine',
      '/opt/tmp/x',
      '/home/ops/.profile',
    ],
    ...['/etc/yum.repos.d/mine.repo', '/var/backup', '/usr/local/bin/hello', '/etc/apt/aptXconf'],
  ])('leaves %s', (path) => {
    expect(findPathObstacle(path, 'text')).toBeUndefined();
  });

  it('leaves a log that is empty from the start', () => {
    expect(findPathObstacle('/var/log/mine/current', '')).toBeUndefined();
    expect(findPathObstacle('/var/log/mine.log', '')).toBeDefined();
  });

  it('refuses every file that the scripts of the seal remove by name', () => {
    const facts = { buildUser: 'kvmimg-build', hostname: 'web', packageSources: '', traces: [] };
    const scripts = `${makeSealScript(facts)}\n${makeFarewellScript(facts)}`;
    const lines = scripts.match(/^(rm -r?f|rm -rf|wipe) .*/gm) ?? [];
    const names = lines.flatMap((line) => line.match(/(?<= )\/[^ $;]+/g) ?? []);
    expect(names.length).toBeGreaterThan(50);
    const kept = names.filter((name) => findPathObstacle(name.replaceAll('*', 'x'), 'text') === undefined);
    const below = kept.filter((name) => findPathObstacle(`${name}/x`, 'text') === undefined);
    expect(below).toEqual([]);
  });
});
