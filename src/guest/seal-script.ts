import { quoteShellWord } from '../process/quote-command.ts';
import { historyFiles } from '../recipe/sealed-files.ts';

export interface SealFacts {
  /** The build's own user, removed by the last act. */
  readonly buildUser: string;
  readonly hostname: string;
  /** Script that leaves the image with its public package sources; it may call `wipe FILE...`. */
  readonly packageSources: string;
  /** Texts that must not be found in the image: the build's addresses and tokens. */
  readonly traces: readonly string[];
}

interface SealStep {
  readonly title: string;
  readonly script: string;
}

/** What the last act writes to the console when it found the image clean, and before each leftover that it found. */
export const sealedMark = 'kvmimg-seal: clean';
export const leftoverMark = 'kvmimg-seal: leftover: ';

// A deleted file's blocks stay on the disk: a trim cannot give back what is smaller than a cluster of the image.
const wipeFunction = `wipe() {
  for file; do
    if [ -f "$file" ]; then shred -n 0 -z "$file" && rm -f "$file"; fi
  done
}`;

/**
 * Everything that makes two clones alike or tells where the image was built: section by section, in the order in which
 * it runs. What image-builder leaves behind (iSCSI and NVMe identities, random seed, credential secret, dbus' copy of
 * the machine-id, leases, installer logs, account backups) is here too.
 */
const steps = (facts: SealFacts): readonly SealStep[] => [
  { title: 'package sources', script: facts.packageSources },
  {
    title: 'cloud-init state',
    script: `
if command -v cloud-init >/dev/null; then cloud-init clean --logs --seed; fi
rm -rf /var/lib/cloud /run/cloud-init /etc/cloud/cloud-init.disabled /etc/cloud/ds-identify.cfg
rm -f /etc/cloud/cloud.cfg.d/*installer* /etc/cloud/cloud.cfg.d/*curtin* /etc/cloud/cloud.cfg.d/subiquity*
rm -f /etc/sudoers.d/90-cloud-init-users
`,
  },
  {
    title: 'network state',
    script: `
rm -f /etc/netplan/50-cloud-init.yaml /etc/network/interfaces.d/50-cloud-init /etc/systemd/network/10-cloud-init-*
# Of Ubuntu's installer, for the build machine's interface; what a step has put in its place says nothing of subiquity.
if grep -qsF "written by 'subiquity'" /etc/netplan/00-installer-config.yaml; then rm -f /etc/netplan/00-installer-config.yaml; fi
rm -f /etc/udev/rules.d/*persistent-net* /etc/udev/rules.d/85-net-persist-cloud-init.rules
rm -rf /var/lib/dhcp/* /var/lib/dhcpcd/* /var/lib/NetworkManager/* /var/lib/systemd/network/*
# netcfg writes the build machine's interface, also where no ifupdown will read it.
if command -v ifup >/dev/null; then
  printf 'source /etc/network/interfaces.d/*\\n\\nauto lo\\niface lo inet loopback\\n' >/etc/network/interfaces
else
  rm -rf /etc/network /etc/networks
fi
`,
  },
  {
    title: 'host name',
    script: `
printf '%s\\n' ${quoteShellWord(facts.hostname)} >/etc/hostname
printf '127.0.0.1\\tlocalhost\\n::1\\t\\tlocalhost ip6-localhost ip6-loopback\\nff02::1\\t\\tip6-allnodes\\nff02::2\\t\\tip6-allrouters\\n' >/etc/hosts
if [ ${quoteShellWord(facts.hostname)} != localhost ]; then sed -i '1a 127.0.1.1\\t'${quoteShellWord(facts.hostname)} /etc/hosts; fi
rm -f /etc/mailname
`,
  },
  {
    title: 'machine identity',
    script: `
wipe /etc/ssh/ssh_host_*
rm -f /var/lib/dbus/machine-id /var/lib/systemd/random-seed /var/lib/systemd/credential.secret /boot/efi/loader/random-seed
: >/etc/machine-id
chmod 0444 /etc/machine-id
# Where the file is missing, iscsid of Debian and Ubuntu does not start: it makes a name only when told so by the file.
# That of the RPM families makes a name when there is no file (iscsi-init.service).
if [ -e /etc/iscsi/initiatorname.iscsi ] && grep -qsF GenerateName /lib/open-iscsi/startup-checks.sh; then
  echo GenerateName=yes >/etc/iscsi/initiatorname.iscsi
else
  rm -f /etc/iscsi/initiatorname.iscsi
fi
rm -f /etc/nvme/hostnqn /etc/nvme/hostid /boot/grub/device.map /swapfile /swap.img
if command -v grub-editenv >/dev/null && [ -f /boot/grub/grubenv ]; then grub-editenv /boot/grub/grubenv create; fi
`,
  },
  {
    title: 'accounts',
    script: `
passwd -q -l root || usermod -L root
rm -rf /root/.ssh /root/.cache
rm -f /root/anaconda-ks.cfg /root/original-ks.cfg /root/ks-post.log
for home in /root /home/*; do
  for name in ${historyFiles.join(' ')}; do rm -rf "$home/$name"; done
done
`,
  },
];

/** The part that runs while the SSH connection is up. */
export function makeSealScript(facts: SealFacts): string {
  const body = steps(facts).map((step) => `echo 'kvmimg: sealing ${step.title}'\n(\n${step.script.trim()}\n)\n`);
  return `#!/bin/sh\nset -eu\n${wipeFunction}\n${body.join('\n')}`;
}

/**
 * The last act, run by systemd after the SSH connection is closed: removes the build's user, key and sudo rule, the
 * logs, looks for leftovers, trims and powers off. The power-off is forced so that no service writes state (random
 * seed, wtmp, journal) on its way down; file systems are unmounted all the same. It tells the result on the console.
 */
export function makeFarewellScript(facts: SealFacts): string {
  const user = quoteShellWord(facts.buildUser);
  const traces = facts.traces.map((trace) => `-e ${quoteShellWord(trace)}`).join(' ');
  return `#!/bin/sh
exec >/dev/console 2>&1
# The connection that has started this ends by itself; it must have told its exit status first.
for second in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do pgrep -u ${user} >/dev/null || break; sleep 1; done
loginctl terminate-user ${user} || true
for second in 1 2 3 4 5 6 7 8 9 10; do pgrep -u ${user} >/dev/null || break; sleep 1; done
pkill -KILL -u ${user} || true
${wipeFunction}
wipe /home/${facts.buildUser}/.ssh/authorized_keys /etc/sudoers.d/${facts.buildUser} /var/log/installer/*
userdel -f -r ${user} 2>/dev/null
rm -f /etc/passwd- /etc/shadow- /etc/group- /etc/gshadow- /etc/subuid- /etc/subgid-
rm -rf /var/lib/sudo /var/mail/${facts.buildUser} /var/lib/systemd/linger
for state in timers timesync coredump pstore rfkill backlight; do rm -rf /var/lib/systemd/$state/*; done
rm -rf /var/lib/private/systemd/* /var/lib/wtmpdb /var/lib/lastlog
systemctl stop systemd-journald.socket systemd-journald-dev-log.socket systemd-journald-audit.socket systemd-journald.service 2>/dev/null
rm -rf /var/log/journal/* /var/log/installer /var/log/private/* /var/log/apt/*
find /var/log -type f \\( -name '*.gz' -o -name '*.xz' -o -name '*.bz2' -o -name '*.zst' -o -name '*.[0-9]' \\
  -o -name '*-20[0-9][0-9][0-9][0-9][0-9][0-9]' -o -name '*.log' -o -name 'syslog' \\) -delete
find /var/log -type f -exec truncate -s 0 {} +
rm -f /var/cache/debconf/*-old /var/lib/dpkg/*-old /var/backups/* /var/lib/systemd/random-seed
rm -rf /var/cache/ldconfig /var/cache/man/* /var/crash/* /var/lib/update-notifier /lost+found/*
find /tmp /var/tmp -mindepth 1 -delete 2>/dev/null
failed=0
leftover() { failed=1; echo "${leftoverMark}$1"; }
! getent passwd ${user} >/dev/null || leftover "user ${facts.buildUser}"
! ls /home/${facts.buildUser} /etc/sudoers.d/${facts.buildUser} >/dev/null 2>&1 || leftover "files of ${facts.buildUser}"
! ls /etc/ssh/ssh_host_* >/dev/null 2>&1 || leftover "SSH host keys"
[ ! -s /etc/machine-id ] || leftover "machine-id"
for hash in $(awk -F: '$2 !~ /^[!*]/ { print $1 }' /etc/shadow); do leftover "password of $hash"; done
for file in $(grep -rIlFws ${traces} /etc /var /root /home /boot/grub /usr/local 2>/dev/null); do leftover "trace of the build in $file"; done
for file in /root/.ssh/authorized_keys /var/lib/dbus/machine-id /var/lib/systemd/random-seed /var/lib/systemd/credential.secret /var/lib/cloud /var/log/installer; do
  [ ! -e "$file" ] || leftover "$file"
done
sync
fstrim -a || true
[ "$failed" = 1 ] || echo '${sealedMark}'
sync
systemctl poweroff --force
`;
}
