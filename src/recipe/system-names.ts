/**
 * Users and groups that an image has before those of the recipe are made: of Debian's and Ubuntu's base-passwd, of
 * setup in RHEL and its kin, of Photon's filesystem, and of what a minimal system of each has (systemd, dbus, polkit,
 * OpenSSH, chrony, sudo). `useradd` refuses a name that either has.
 */
const systemNames: ReadonlySet<string> = new Set(
  `_apt _chrony _ssh adm audio backup bin cdrom chrony clock crontab daemon dbus dhcpcd dialout dip disk dnsmasq empower
  fax floppy ftp fwupd-refresh games gnats halt input irc kmem kvm kvmimg-build landscape list lock lp lxd mail man mem
  messagebus netdev news nobody nogroup operator plugdev polkitd pollinate proxy rdma render root sasl sgx shadow
  shutdown src ssh ssh_keys sshd ssl-cert sssd staff sudo sync sys syslog tape tcpdump tss tty usbmux users utempter utmp
  uucp uuidd video voice wheel www-data`.split(/\s+/),
);

/** Whether an image has a user or a group of this name of its own. */
export function isSystemName(name: string): boolean {
  return systemNames.has(name) || name.startsWith('systemd-');
}
