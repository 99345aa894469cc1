#!/bin/sh
# Run in the live system by late-commands, the new system on /target: package sources, what the installer leaves for a
# first boot, network, updates, initramfs, boot loaders, the build's user.
set -e
callback_url={{callbackUrl}}
mirror_url={{mirrorUrl}}
security_url={{securityUrl}}
codename={{codename}}
hostname={{hostname}}
host_private_key={{hostPrivateKey}}
host_public_key={{hostPublicKey}}
build_user={{buildUser}}
build_user_key={{buildUserKey}}
target=/target

callback() { curl -fsS -o /dev/null "$@" || true; }
end() {
  status=$?
  if [ $status != 0 ]; then
    journalctl --sync
    journalctl --boot --lines=200 --output=cat | callback --data-binary @- "$callback_url/log/late"
  fi
  callback "$callback_url/late-end/$status"
  exit $status
}
trap end EXIT
callback "$callback_url/late"

# usage: write_file PATH MODE CONTENT
write_file() {
  mkdir -p "$target${1%/*}"
  printf '%s\n' "$3" >"$target$1"
  chmod "$2" "$target$1"
}
enable_unit() { chroot $target systemctl --no-reload enable "$1"; }

# The build's host key in the place of those that openssh-server has made: the first connection is verified, not trusted.
mkdir -p $target/etc/ssh
rm -f $target/etc/ssh/ssh_host_*
(umask 077 && printf '%s\n' "$host_private_key" >$target/etc/ssh/ssh_host_ed25519_key)
printf '%s\n' "$host_public_key" >$target/etc/ssh/ssh_host_ed25519_key.pub
set -x

# --- package sources while building; the seal removes these files
rm -f $target/etc/apt/sources.list $target/etc/apt/sources.list.curtin* $target/etc/apt/sources.list.d/* \
  $target/etc/apt/trusted.gpg.d/kvmimg-* $target/etc/apt/apt.conf.d/*curtin*
cat >$target/etc/apt/apt.conf.d/00kvmimg-build <<'END'
Acquire::Languages "none";
Acquire::http::Timeout "900";
APT::Install-Recommends "false";
Dpkg::Use-Pty "false";
Dpkg::Options { "--force-confdef"; "--force-confold"; };
END
components='main restricted universe'
signed='[signed-by=/usr/share/keyrings/ubuntu-archive-keyring.gpg]'
cat >$target/etc/apt/sources.list.d/kvmimg-build.list <<END
deb $signed $mirror_url $codename $components
deb $signed $mirror_url $codename-updates $components
deb $signed $security_url $codename-security $components
END

# --- what the installer leaves for the first boot of one machine: user data, network, no growing of the root, no disk
# that an upgrade of GRUB writes to
rm -f $target/etc/cloud/cloud.cfg.d/*installer* $target/etc/cloud/cloud.cfg.d/*curtin* \
  $target/etc/cloud/cloud.cfg.d/subiquity* $target/etc/cloud/cloud.cfg.d/20-disable-cc-dpkg-grub.cfg \
  $target/etc/cloud/clean.d/*installer* $target/etc/cloud/ds-identify.cfg $target/etc/cloud/cloud-init.disabled \
  $target/etc/netplan/*.yaml
printf '%s\n' "$hostname" >$target/etc/hostname
printf '127.0.0.1 localhost\n127.0.1.1 %s\n' "$hostname" >$target/etc/hosts

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

# --- SSH host keys of each clone, also where cloud-init has no data and makes none. Before ssh.service, and not before
# the ssh.socket that starts it: a socket is before basic.target, and this unit after it.
cat >$target/etc/systemd/system/kvmimg-hostkeys.service <<'END'
[Unit]
Description=Make SSH host keys when there are none
ConditionPathExistsGlob=!/etc/ssh/ssh_host_*_key
After=cloud-init.service cloud-init-network.service
Before=ssh.service
[Service]
Type=oneshot
ExecStart=/usr/bin/ssh-keygen -A
[Install]
WantedBy=multi-user.target ssh.service
END

# --- boot loader's settings, after those of the installer and of the packages
mkdir -p $target/etc/default/grub.d
printf '%s\n' {{grubSettings}} >$target/etc/default/grub.d/90-kvmimg.cfg

# --- what the recipe asks for beyond this
{{imageParts}}
# --- in the new system
curl -fsS -o $target/tmp/kvmimg-target.sh {{seedUrl}}/target.sh
curtin in-target --target=$target -- sh /tmp/kvmimg-target.sh
rm -f $target/tmp/kvmimg-target.sh

# --- the build's user; the seal removes it with its key and its sudo rule
printf '%s\n' "$build_user_key" >"$target/home/$build_user/.ssh/authorized_keys"
chroot $target chown "$build_user:$build_user" "/home/$build_user/.ssh/authorized_keys"
chmod 600 "$target/home/$build_user/.ssh/authorized_keys"
printf '%s ALL=(ALL) NOPASSWD:ALL\n' "$build_user" >"$target/etc/sudoers.d/$build_user"
chmod 440 "$target/etc/sudoers.d/$build_user"
