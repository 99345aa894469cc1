/** What speaks against a file at a path, to be said after the path. */
interface PathObstacle {
  readonly message: string;
  readonly hint?: string;
}

/** In globs `*` is within one folder, `**` is everything below. */
interface Group {
  readonly globs: string;
  readonly hint?: string;
}

/** What shells, pagers, editors, wget and sudo keep in the homes of root and of users, none of it for an image. */
export const historyFiles: readonly string[] = [
  ...['.bash_history', '.zsh_history', '.ash_history', '.python_history', '.lesshst', '.local/state/lesshst'],
  ...['.viminfo', '.wget-hsts', '.sudo_as_admin_successful'],
];

/**
 * What the seal and its last act (guest/seal-script.ts, guest/packages) write or remove: a file there would be gone from
 * the image, whose check then fails at the end of a build.
 */
const sealed: readonly Group[] = [
  { globs: '/etc/hostname /etc/hosts', hint: 'Use hostname.' },
  { globs: '/etc/machine-id /var/lib/dbus/machine-id', hint: 'Each clone makes its own.' },
  { globs: '/etc/apt/sources.list', hint: 'Use imageMirror, or a file in /etc/apt/sources.list.d.' },
  {
    globs: '/etc/apt/sources.list.d/debian.sources /etc/apt/sources.list.d/ubuntu.sources',
    hint: 'Use imageMirror and imageSecurityMirror.',
  },
  { globs: '/etc/yum.repos.d/kvmimg-mirror.repo', hint: 'Use imageMirror.' },
  {
    globs: '/etc/apt/sources.list.d/kvmimg-build.list /etc/yum.repos.d/kvmimg-build.repo /etc/kvmimg-repos.d/**',
    hint: 'Use repositories.',
  },
  {
    globs: `/etc/apt/apt.conf /etc/apt/apt.conf.d/*kvmimg* /etc/apt/apt.conf.d/00InstallRecommends
      /etc/apt/apt.conf.d/00trustcdrom /etc/apt/apt.conf.d/00IgnoreTimeConflict`,
    hint: 'Use another file in /etc/apt/apt.conf.d.',
  },
  {
    globs: `/etc/cloud/cloud-init.disabled /etc/cloud/ds-identify.cfg /etc/cloud/cloud.cfg.d/*installer*
      /etc/cloud/cloud.cfg.d/*curtin* /etc/cloud/cloud.cfg.d/subiquity* /var/lib/cloud/**`,
    hint: 'Use another file in /etc/cloud/cloud.cfg.d.',
  },
  {
    globs: `/etc/netplan/50-cloud-init.yaml /etc/network/interfaces
      /etc/network/interfaces.d/50-cloud-init /etc/systemd/network/10-cloud-init-* /var/lib/dhcp/** /var/lib/dhcpcd/**
      /var/lib/NetworkManager/** /var/lib/systemd/network/**`,
    hint: 'Use network.',
  },
  {
    globs: '/etc/udev/rules.d/*persistent-net* /etc/udev/rules.d/85-net-persist-cloud-init.rules',
    hint: 'Each clone has network devices of its own.',
  },
  { globs: '/etc/ssh/ssh_host_*', hint: 'Each clone makes its own.' },
  { globs: '/root/.ssh/**', hint: 'Nobody logs in as root: use users.' },
  {
    globs:
      '/etc/sudoers.d/kvmimg-build /etc/sudoers.d/90-cloud-init-users /home/kvmimg-build/** /var/mail/kvmimg-build',
    hint: 'Use users.',
  },
  {
    globs: `/etc/mailname /etc/iscsi/initiatorname.iscsi /etc/nvme/hostnqn /etc/nvme/hostid /boot/grub/device.map
      /boot/efi/loader/random-seed /swapfile /swap.img /lost+found/** /root/.cache/** /root/anaconda-ks.cfg
      /root/original-ks.cfg /root/ks-post.log
      /etc/passwd- /etc/shadow- /etc/group- /etc/gshadow- /etc/subuid- /etc/subgid-`,
  },
  { globs: historyFiles.flatMap((name) => [`/root/${name}`, `/home/*/${name}`]).join(' ') },
  {
    globs: `/var/lib/systemd/random-seed /var/lib/systemd/credential.secret /var/lib/systemd/linger/**
      /var/lib/systemd/timers/** /var/lib/systemd/timesync/** /var/lib/systemd/coredump/** /var/lib/systemd/pstore/**
      /var/lib/systemd/rfkill/** /var/lib/systemd/backlight/** /var/lib/private/systemd/** /var/lib/sudo/**
      /var/lib/wtmpdb/** /var/lib/lastlog/** /var/lib/update-notifier/** /var/lib/apt/lists/** /var/cache/apt/*.bin
      /var/cache/apt/archives/** /var/cache/dnf/** /var/cache/libdnf5/** /var/cache/yum/** /var/cache/tdnf/**
      /var/cache/ldconfig/** /var/cache/man/** /var/cache/debconf/*-old /var/lib/dpkg/*-old /var/backups/** /var/crash/**`,
  },
  {
    globs: `/var/log/installer/** /var/log/journal/** /var/log/private/** /var/log/apt/** /var/log/dnf* /var/log/tdnf*
      /var/log/**.gz /var/log/**.xz /var/log/**.bz2 /var/log/**.zst /var/log/**.[0-9]
      /var/log/**-20[0-9][0-9][0-9][0-9][0-9][0-9] /var/log/**.log /var/log/syslog /var/log/**/syslog`,
    hint: 'An image begins without logs.',
  },
  { globs: '/tmp/** /var/tmp/**', hint: 'Files of a step go to /root or /usr/local, and a later step removes them.' },
];

/** In memory, or the kernel's. */
const volatile = patternOf('/run/** /var/run/** /var/lock/** /dev/** /proc/** /sys/**');

/** Folders that every image has, and some that are often meant with a file in them. */
const folders = new Set(
  `/bin /boot /boot/efi /dev /etc /etc/apt /etc/apt/apt.conf.d /etc/apt/preferences.d /etc/apt/sources.list.d /etc/cloud
  /etc/cloud/cloud.cfg.d /etc/cron.d /etc/cron.daily /etc/default /etc/grub.d /etc/modprobe.d /etc/modules-load.d
  /etc/netplan /etc/pki /etc/profile.d /etc/security /etc/skel /etc/ssh /etc/ssh/sshd_config.d /etc/ssl /etc/ssl/certs
  /etc/sudoers.d /etc/sysctl.d /etc/systemd /etc/systemd/network /etc/systemd/system /etc/tmpfiles.d /etc/udev
  /etc/udev/rules.d /etc/yum.repos.d /home /lib /lib64 /media /mnt /opt /proc /root /root/.ssh /run /sbin /srv /sys /tmp
  /usr /usr/bin /usr/lib /usr/lib/systemd /usr/lib/systemd/system /usr/local /usr/local/bin /usr/local/etc /usr/local/lib
  /usr/local/sbin /usr/local/share /usr/sbin /usr/share /usr/share/keyrings /usr/src /var /var/backups /var/cache
  /var/crash /var/lib /var/lib/cloud /var/local /var/lock /var/log /var/mail /var/opt /var/run /var/spool /var/tmp`.split(
    /\s+/,
  ),
);

const removed = sealed.map(({ globs, hint }) => ({ pattern: patternOf(globs), hint }));

/** Why a recipe cannot have a file with this content at a path of the image; undefined when it can. */
export function findPathObstacle(path: string, content: unknown): PathObstacle | undefined {
  if (folders.has(path)) return { message: `${path} is a folder`, hint: 'Say which file in it.' };
  if (volatile.test(path)) return { message: `${path} is not on the disk, and so not in the image` };
  if (path === '/etc/sysctl.d/90-kvmimg.conf') return { message: `${path} is written by kvmimg`, hint: 'Use sysctls.' };
  const group = removed.find(({ pattern }) => pattern.test(path));
  if (group) {
    const message = `${path} is written or removed when the image is sealed`;
    return { message, ...(group.hint === undefined ? {} : { hint: group.hint }) };
  }
  // The other logs stay, without their content.
  if (!path.startsWith('/var/log/') || content === '') return undefined;
  return { message: `${path} is emptied when the image is sealed` };
}

/** Matches a path that any of the globs does. */
function patternOf(globs: string): RegExp {
  const patterns = globs
    .split(/\s+/)
    .map((glob) =>
      glob.replace(/[.+]/g, '\\$&').replaceAll('**', '\0').replaceAll('*', '[^/]*').replaceAll('\0', '.+'),
    );
  return new RegExp(`^(${patterns.join('|')})$`);
}
