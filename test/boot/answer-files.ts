/** Answer files written by hand, as small as the installers take them. */

export interface Homes {
  /** URL that takes what is posted. */
  readonly callback: string;
  /** URL of a package repository. */
  readonly repository?: string;
}

export function ubuntuUserData({ callback }: Homes): string {
  return `#cloud-config
autoinstall:
  version: 1
  locale: C.UTF-8
  keyboard: {layout: us}
  reporting:
    kvmimg:
      type: webhook
      endpoint: "${callback}events"
  storage:
    layout:
      name: direct
      match:
        serial: kvmimg-root
  user-data:
    users: []
  early-commands:
    - curl -fsS -d early ${callback}early
  late-commands:
    - curtin in-target -- true
    - curl -fsS -d late ${callback}late
  error-commands:
    - - sh
      - -c
      - |
        journalctl -b | curl -fsS
          --data-binary @- ${callback}logs
  shutdown: poweroff
`.replace('curl -fsS\n          --data', 'curl -fsS --data');
}

export function redhatKickstart({ callback, repository }: Homes): string {
  const source = repository === undefined ? 'cdrom' : `url --url="${repository}"`;
  return `text
${source}
lang C.UTF-8
keyboard us
timezone Etc/UTC --utc
rootpw --lock
user --name=ops --groups=wheel
ignoredisk --only-use=disk/by-id/virtio-kvmimg-root
zerombr
clearpart --all --initlabel --drives=disk/by-id/virtio-kvmimg-root
part / --fstype=xfs --grow --ondisk=disk/by-id/virtio-kvmimg-root
bootloader --append="console=ttyS0"
poweroff

%packages --excludedocs
@core
%end

%pre --erroronfail
curl -fsS -d pre ${callback}pre
%end

%post --erroronfail --log=/root/post.log
dnf clean all
curl -fsS -d post ${callback}post
%end

%onerror
journalctl -b >/tmp/log
curl -fsS --data-binary @/tmp/log ${callback}logs
%end

%traceback
curl -fsS -d traceback ${callback}traceback
%end
`;
}

export function photonKickstart({ callback }: Homes): string {
  return JSON.stringify({
    hostname: 'photon',
    disk: '/dev/disk/by-id/virtio-kvmimg-root',
    partitions: [{ mountpoint: '/', size: 0, filesystem: 'ext4' }],
    packages: ['minimal', 'linux', 'initramfs'],
    password: { crypted: true, text: '*' },
    preinstall: ['#!/bin/sh', `curl -fsS -d pre ${callback}pre`],
    postinstall: ['#!/bin/sh', 'tdnf clean all', `curl -fsS -d post ${callback}post`],
  });
}
