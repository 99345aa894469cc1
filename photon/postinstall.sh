#!/bin/bash
# Run in the new system by the installer, among steps of its own and before it unmounts. It does not look at how a script
# ends: the last callback tells.
set -e
callback_url={{callbackUrl}}
host_private_key={{hostPrivateKey}}
host_public_key={{hostPublicKey}}
build_user={{buildUser}}
build_user_key={{buildUserKey}}
locale={{locale}}
timezone={{timezone}}
keyboard_layout={{keyboardLayout}}
keyboard_variant={{keyboardVariant}}
kernel_arguments={{kernelArguments}}
packages={{mirrorPackages}}
export LANG=C.UTF-8 PATH=/usr/sbin:/usr/bin:/sbin:/bin
log=/tmp/kvmimg-postinstall.log

# curl may come later, with the packages; cloud-init's Python is there.
send_file() {
  python3 -c 'import sys, urllib.request as r; r.urlopen(sys.argv[1], open(sys.argv[2], "rb").read(), 30)' "$1" "$2"
}
callback() { send_file "$callback_url/$1" /dev/null || true; }
finish() {
  status=$?
  set +ex
  tail -c 900000 "$log" >"$log.end"
  send_file "$callback_url/log/postinstall" "$log.end"
  curl -fsS -m 30 -o /dev/null {{callbackUrl}}/postinstall-end/${status:-0} || callback "postinstall-end/$status"
}
trap finish EXIT
exec >"$log" 2>&1
curl -fsS -m 30 -o /dev/null {{callbackUrl}}/postinstall || callback postinstall

write_file() {
  mkdir -p "${1%/*}"
  printf '%s\n' "$3" >"$1"
  chmod "$2" "$1"
}
enable_unit() { systemctl --no-reload enable "$1"; }

# --- the build's host key, before sshd makes one of that kind: the first connection is verified, not trusted
mkdir -p /etc/ssh
(umask 077 && printf '%s\n' "$host_private_key" >/etc/ssh/ssh_host_ed25519_key)
printf '%s\n' "$host_public_key" >/etc/ssh/ssh_host_ed25519_key.pub
set -x

# --- the build's user: it may do anything, by its key alone; the seal removes it
useradd -U -m -s /bin/bash -p '*' "$build_user"
chage -I -1 -m 0 -M 99999 -E -1 "$build_user"
install -d -m 700 -o "$build_user" -g "$build_user" "/home/$build_user/.ssh"
write_file "/home/$build_user/.ssh/authorized_keys" 600 "$build_user_key"
chown "$build_user:$build_user" "/home/$build_user/.ssh/authorized_keys"
write_file "/etc/sudoers.d/$build_user" 440 "$build_user ALL=(ALL) NOPASSWD:ALL"

# --- network: the distribution's own file is for devices by name, and comes after this one
rm -f /etc/systemd/network/99-dhcp-en.network

{{imageParts}}
# --- packages that the ISO has not, and updates, from the mirror through kvmimg
sources=/tmp/kvmimg-repos
mkdir -p $sources
{{repositories}}
for file in /etc/yum.repos.d/*.repo; do
  if grep -qF "${callback_url%/callback}/" "$file"; then cp "$file" $sources/; fi
done
tdnf -y --setopt=reposdir=$sources makecache
tdnf -y --setopt=reposdir=$sources update
# The words are meant to be split.
if [ -n "$packages" ]; then tdnf -y --setopt=reposdir=$sources install $packages; fi
tdnf clean all
rm -rf /var/cache/tdnf

# --- time zone, keyboard, locale
if [ ! -e "/usr/share/zoneinfo/$timezone" ]; then
  echo "kvmimg: the system has no time zone $timezone" >&2
  exit 1
fi
ln -sf "../usr/share/zoneinfo/$timezone" /etc/localtime
if [ "$keyboard_layout$keyboard_variant" != us ]; then
  # Keymaps of the console have names of their own; the plain layout is the last resort.
  for keymap in "$keyboard_layout-$keyboard_variant" "$keyboard_layout-latin1-$keyboard_variant" "$keyboard_layout"; do
    if [ -n "$(find /usr/share /usr/lib/kbd -name "$keymap.map*" 2>/dev/null)" ]; then break; fi
  done
  write_file /etc/vconsole.conf 644 "KEYMAP=$keymap
XKBLAYOUT=$keyboard_layout
XKBVARIANT=$keyboard_variant"
fi
if [ "$locale" != C.UTF-8 ]; then localedef -c -i "${locale%%.*}" -f UTF-8 "$locale"; fi
# Steps of the installer that may come after this one write an /etc/locale.conf and remove /etc/resolv.conf.
write_file /usr/lib/kvmimg/settle 755 "#!/bin/sh
# Says last what the installer has said otherwise; runs once, in the build itself.
echo 'LANG=$locale' >/etc/locale.conf
[ -e /etc/resolv.conf ] || ln -sf ../run/systemd/resolve/stub-resolv.conf /etc/resolv.conf
# Later installers leave a copy of ks.json here.
rm -rf /var/log/poi
systemctl --no-reload disable kvmimg-settle.service
rm -f /etc/systemd/system/kvmimg-settle.service /usr/lib/kvmimg/settle"
write_file /etc/systemd/system/kvmimg-settle.service 644 '[Unit]
Description=Settle what the installer has left
DefaultDependencies=no
After=systemd-remount-fs.service
RequiresMountsFor=/etc /usr/lib
Before=sysinit.target
[Service]
Type=oneshot
ExecStart=/usr/lib/kvmimg/settle
[Install]
WantedBy=sysinit.target'
enable_unit kvmimg-settle.service

# --- services that the presets may leave out
for unit in sshd systemd-networkd systemd-resolved systemd-timesyncd vmtoolsd cloud-init-local cloud-init cloud-config cloud-final; do
  if [ -e "/usr/lib/systemd/system/$unit.service" ]; then enable_unit "$unit.service"; fi
done

# --- initramfs: with the drivers of every machine, for each kernel
write_file /etc/dracut.conf.d/90-kvmimg.conf 644 'hostonly="no"'
for config in /boot/linux-*.cfg; do
  version=${config#/boot/linux-}
  version=${version%.cfg}
  dracut --force --no-hostonly --kver "$version" "/boot/initrd.img-$version"
done

# --- boot loader: the installer has put both in; its grub.cfg is no template's result, so the lines are changed in place
sed -i -e 's/^set timeout=.*/set timeout=1/' -e 's|\$photon_cmdline|& '"$kernel_arguments"'|' /boot/grub2/grub.cfg
sed -i -e 's/^terminal_output gfxterm$/{{grubTerminal}}/' /boot/grub2/grub.cfg
grep -qF -- "$kernel_arguments" /boot/grub2/grub.cfg
test -s "/boot/efi/EFI/BOOT/{{removableLoader}}"
