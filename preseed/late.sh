#!/bin/sh
# Run in d-i by preseed/late_command, the new system on /target: initramfs, boot loader, network, the build's user.
set -ex
callback_url={{callbackUrl}}
build_user={{buildUser}}
build_user_key={{buildUserKey}}
locale={{locale}}
kernel_arguments={{kernelArguments}}
target=/target

callback() { wget -q -O /dev/null "$callback_url/$1" || true; }
trap 'status=$?; callback "late-end/$status"; exit $status' EXIT
callback late

# --- what base.sh has put off can run now
for command in /usr/sbin/update-initramfs /usr/sbin/update-ca-certificates /usr/bin/py3compile; do
  rm -f "$target$command"
  chroot $target dpkg-divert --local --rename --quiet --remove "$command"
done

# --- boot loader
mkdir -p $target/etc/default/grub.d
cat >$target/etc/default/grub.d/50-kvmimg.cfg <<END
GRUB_TIMEOUT=1
GRUB_RECORDFAIL_TIMEOUT=1
GRUB_DISTRIBUTOR=Debian
GRUB_CMDLINE_LINUX_DEFAULT=""
GRUB_CMDLINE_LINUX="${kernel_arguments:+$kernel_arguments }console=tty0 console={{serialConsole}}"
{{grubTerminal}}
GRUB_DISABLE_OS_PROBER=true
END
# grub-cloud-amd64 leaves grub.cfg alone without it.
: >$target/etc/grub.d/enable_cloud

# --- network: cloud-init's where there is first-boot data, else DHCP on every Ethernet device
mkdir -p $target/etc/systemd/system $target/usr/lib/kvmimg
cat >$target/usr/lib/kvmimg/90-kvmimg-dhcp.network <<'END'
# DHCP on every Ethernet device. In effect only where cloud-init is not (kvmimg-dhcp.service).
[Match]
Type=ether
Kind=!*
[Network]
DHCP=yes
[DHCPv4]
UseDomains=yes
END
cat >$target/etc/systemd/system/kvmimg-dhcp.service <<'END'
[Unit]
Description=DHCP on every Ethernet device when cloud-init has no data
DefaultDependencies=no
ConditionPathExists=!/run/cloud-init/enabled
Before=systemd-networkd.service
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/bin/install -D -m 644 /usr/lib/kvmimg/90-kvmimg-dhcp.network /run/systemd/network/90-kvmimg-dhcp.network
[Install]
WantedBy=systemd-networkd.service
END

# --- SSH host keys of each clone, also where cloud-init has no data and makes none
cat >$target/etc/systemd/system/kvmimg-hostkeys.service <<'END'
[Unit]
Description=Make SSH host keys when there are none
ConditionPathExistsGlob=!/etc/ssh/ssh_host_*_key
After=cloud-init.service cloud-init-network.service
Before=ssh.service ssh.socket
[Service]
Type=oneshot
ExecStart=/usr/bin/ssh-keygen -A
[Install]
WantedBy=ssh.service ssh.socket
END

# --- in the new system
cat >$target/tmp/kvmimg-late.sh <<END
set -ex
export LANG=C.UTF-8 PATH=/usr/sbin:/usr/bin:/sbin:/bin
locale=$locale
build_user=$build_user
END
cat >>$target/tmp/kvmimg-late.sh <<'END'
if [ "$locale" != C.UTF-8 ]; then
  if [ ! -e "/usr/share/i18n/locales/${locale%%.*}" ]; then
    echo "kvmimg: the system has no locale $locale" >&2
    exit 1
  fi
  echo "$locale UTF-8" >>/etc/locale.gen
  locale-gen
fi
echo "LANG=$locale" >/etc/locale.conf
ln -sf ../locale.conf /etc/default/locale
systemctl --no-reload enable systemd-networkd.service systemd-resolved.service kvmimg-dhcp.service \
  kvmimg-hostkeys.service
ln -sf ../run/systemd/resolve/stub-resolv.conf /etc/resolv.conf
rm -f /etc/.resolv.conf.systemd-resolved.bak
useradd -m -s /bin/bash -p '*' "$build_user"
install -d -m 700 -o "$build_user" -g "$build_user" "/home/$build_user/.ssh"
# Beside the initramfs, for which one processor is enough.
deferred() {
  python3 -m compileall -q /usr/lib/python3/dist-packages || true
  # Directories of a package's own: "py3compile -p PACKAGE DIRECTORY...".
  sed -n 's,^/usr/bin/py3compile ,,p' /var/tmp/kvmimg-deferred | grep ' /' | while read -r words; do
    py3compile $words
  done
  update-ca-certificates
}
touch /var/tmp/kvmimg-deferred
deferred &
for version in $(linux-version list); do update-initramfs -c -k "$version"; done
wait $!
rm -f /var/tmp/kvmimg-deferred
{{grubInstall}}
update-grub
END
in-target sh /tmp/kvmimg-late.sh
rm -f $target/tmp/kvmimg-late.sh

# --- the build's user; the seal removes it with its key and its sudo rule
printf '%s\n' "$build_user_key" >"$target/home/$build_user/.ssh/authorized_keys"
chroot $target chown "$build_user:$build_user" "/home/$build_user/.ssh/authorized_keys"
chmod 600 "$target/home/$build_user/.ssh/authorized_keys"
printf '%s ALL=(ALL) NOPASSWD:ALL\n' "$build_user" >"$target/etc/sudoers.d/$build_user"
chmod 440 "$target/etc/sudoers.d/$build_user"
