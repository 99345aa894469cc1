#!/bin/sh
# Run in the new system by late.sh.
set -ex
export LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive PATH=/usr/sbin:/usr/bin:/sbin:/bin
locale={{locale}}
timezone={{timezone}}
build_user={{buildUser}}
boot_packages={{bootPackages}}
boot_target={{bootTarget}}
boot_suffix={{bootSuffix}}

# --- everything as new as the mirror has it, and the boot loaders for both firmwares. A later upgrade of GRUB writes to
# no disk that only the build has had.
debconf-set-selections <<'END'
grub-pc grub-pc/install_devices multiselect
grub-pc grub-pc/install_devices_empty boolean true
linux-base linux-base/removing-running-kernel boolean false
END
apt-get -q update
apt-get -q -y full-upgrade
# The names are meant to be split.
apt-get -q -y install $boot_packages
# A kernel only recommends the program that makes its initramfs.
if ! command -v dracut >/dev/null && ! command -v update-initramfs >/dev/null; then
  apt-get -q -y install initramfs-tools
fi
# Only the newest kernel: the one of the ISO goes when there was an update.
for version in $(linux-version list | linux-version sort --reverse | tail -n +2); do
  old=$(dpkg-query -W -f '${db:Status-Abbrev}${Package}\n' "linux-*-$version" | sed -n 's/^ii //p')
  apt-get -q -y purge $old
done
apt-get -q -y autoremove --purge
apt-get -q clean

# --- locale, clock
if [ "$locale" != C.UTF-8 ]; then
  if [ ! -e "/usr/share/i18n/locales/${locale%%.*}" ]; then
    echo "kvmimg: the system has no locale $locale" >&2
    exit 1
  fi
  echo "$locale UTF-8" >>/etc/locale.gen
  locale-gen
fi
echo "LANG=$locale" >/etc/default/locale
if [ ! -e "/usr/share/zoneinfo/$timezone" ]; then
  echo "kvmimg: the system has no time zone $timezone; old names are in the package tzdata-legacy" >&2
  exit 1
fi
ln -sf "/usr/share/zoneinfo/$timezone" /etc/localtime
echo "$timezone" >/etc/timezone

# --- network, SSH
systemctl --no-reload enable systemd-networkd.service systemd-resolved.service kvmimg-dhcp.service \
  kvmimg-hostkeys.service

# --- the build's user
useradd -m -s /bin/bash -p '*' "$build_user"
install -d -m 700 -o "$build_user" -g "$build_user" "/home/$build_user/.ssh"

# --- an initramfs with the drivers of every machine. Both programs do so by default here; what has been set otherwise is
# made again.
if command -v dracut >/dev/null; then
  mkdir -p /etc/dracut.conf.d
  echo 'hostonly="no"' >/etc/dracut.conf.d/90-kvmimg.conf
  for version in $(linux-version list); do dracut --force "/boot/initrd.img-$version" "$version"; done
elif ! grep -q '^MODULES=most' /etc/initramfs-tools/initramfs.conf; then
  echo 'MODULES=most' >/etc/initramfs-tools/conf.d/kvmimg
  update-initramfs -u -k all
fi
for version in $(linux-version list); do
  if [ ! -s "/boot/initrd.img-$version" ]; then update-initramfs -c -k "$version"; fi
done

# --- boot loaders, whatever firmware the installer was booted with; the removable path for firmware that knows nothing
# of this disk. shim starts the GRUB beside it: without fbx64.efi it writes no boot entries and restarts no machine.
if [ "$boot_target" = x86_64-efi ]; then grub-install --target=i386-pc "$(grub-probe -t disk /boot)"; fi
grub-install --target="$boot_target" --efi-directory=/boot/efi --bootloader-id=ubuntu --no-nvram
mkdir -p /boot/efi/EFI/BOOT
cp "/boot/efi/EFI/ubuntu/shim$boot_suffix.efi" "/boot/efi/EFI/BOOT/BOOT$(echo "$boot_suffix" | tr a-z A-Z).EFI"
cp "/boot/efi/EFI/ubuntu/grub$boot_suffix.efi" "/boot/efi/EFI/BOOT/grub$boot_suffix.efi"
rm -f "/boot/efi/EFI/BOOT/fb$boot_suffix.efi"
update-grub
# An upgrade writes to the ESP that is mounted then. With the name of the build's disk it would fail in every clone, and
# cloud-init changes it on UEFI machines only (canonical/cloud-init#4091).
echo 'grub-common grub-efi/install_devices multiselect' | debconf-set-selections
