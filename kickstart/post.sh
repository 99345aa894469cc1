#!/bin/bash
# Run in the new system by %post: boot loaders for both firmwares, kernel arguments, network, and the build's keys.
set -e
callback_url={{callbackUrl}}
host_private_key={{hostPrivateKey}}
host_public_key={{hostPublicKey}}
build_user={{buildUser}}
locale={{locale}}
kernel_arguments={{kernelArguments}}
removable_loader={{removableLoader}}
vendor_loader={{vendorLoader}}
grub_terminal={{grubTerminal}}
drivers={{drivers}}
export LANG=C.UTF-8 PATH=/usr/sbin:/usr/bin:/sbin:/bin

callback() { curl -fsS -m 30 -o /dev/null "$callback_url/$1" || true; }
write_file() {
  mkdir -p "${1%/*}"
  printf '%s\n' "$3" >"$1"
  chmod "$2" "$1"
}
enable_unit() { systemctl --no-reload enable "$1"; }
callback post

# --- the build's host key, before sshd makes one of that kind: the first connection is verified, not trusted
(umask 077 && printf '%s\n' "$host_private_key" >/etc/ssh/ssh_host_ed25519_key)
printf '%s\n' "$host_public_key" >/etc/ssh/ssh_host_ed25519_key.pub
set -x

# --- the build's user: it may do anything, by its key alone; the seal removes it
usermod -p '*' "$build_user"
write_file "/etc/sudoers.d/$build_user" 440 "$build_user ALL=(ALL) NOPASSWD:ALL"

# --- locale
if [ "$locale" != C.UTF-8 ] && ! LC_ALL=C locale -a | grep -qix "${locale%%.*}\.utf8"; then
  echo "kvmimg: the system has no locale $locale" >&2
  exit 1
fi
echo "LANG=$locale" >/etc/locale.conf

# --- network: none of the installer's own connections, which name its interfaces
rm -f /etc/NetworkManager/system-connections/* /etc/sysconfig/network-scripts/ifcfg-*

{{imageParts}}
# --- LVM: Anaconda has noted the ids of this machine's disk, and LVM would look for the volumes on no other one
rm -rf /etc/lvm/devices/*

# --- services that the distribution's presets may leave out; cloud-init has renamed its own over time
for unit in sshd chronyd vmtoolsd cloud-init-local cloud-init-main cloud-init cloud-init-network cloud-config cloud-final; do
  if [ -e "/usr/lib/systemd/system/$unit.service" ]; then enable_unit "$unit.service"; fi
done

# --- kernel arguments: only what finds the root, and the image's own; Anaconda adds those of its own kernel
image_arguments() {
  for word; do
    case $word in root=* | rootflags=* | ro | rw | rd.lvm.* | resume=*) printf '%s ' "$word" ;; esac
  done
  printf '%s\n' "$kernel_arguments"
}
for entry in /boot/loader/entries/*.conf; do
  # The words are meant to be split, and no pattern is to be a file name.
  set -f
  line=$(image_arguments $(sed -n 's/^options //p' "$entry"))
  set +f
  case " $line" in *" root="*) ;; *) echo "kvmimg: $entry does not say where the root is: $line" >&2 && exit 1 ;; esac
  sed -i '/^options /d' "$entry"
  printf 'options %s\n' "$line" >>"$entry"
done
# Those of later kernels: kernel-install takes them from this file, and without it from the kernel that runs then.
if [ -e /etc/kernel/cmdline ]; then printf '%s\n' "$line" >/etc/kernel/cmdline; fi
sed -i '/^GRUB_CMDLINE_LINUX=/d; /^GRUB_TERMINAL/d; /^GRUB_SERIAL_COMMAND=/d; /^GRUB_TIMEOUT=/d' /etc/default/grub
set -f
grub_arguments=$(for word in $line; do case $word in root=* | ro | rw) ;; *) printf '%s ' "$word" ;; esac; done)
set +f
cat >>/etc/default/grub <<END
GRUB_CMDLINE_LINUX="${grub_arguments% }"
GRUB_TIMEOUT=1
GRUB_TERMINAL="$grub_terminal"
GRUB_SERIAL_COMMAND="serial --unit=0 --speed=115200"
END

# --- boot loaders: Anaconda installs the one of the firmware that it was booted by; the image has both
disk=$(grub2-probe --target=disk /boot/grub2)
if [ -d /usr/lib/grub/i386-pc ]; then
  if [ -d /sys/firmware/efi ]; then grub2-install --target=i386-pc "$disk"; fi
  # Set by Anaconda for some BIOSes; UEFI 5.2.3 wants no boot flag in the protective MBR.
  parted -s "$disk" disk_set pmbr_boot off
fi
grub2-mkconfig -o /boot/grub2/grub.cfg
# \EFI\BOOT\BOOTX64.EFI, of the package of shim, starts the distribution's own folder by its fallback; GRUB reads this
# file there and goes on with the one on the system's partition.
efi_folder=$(dirname "$(ls /boot/efi/EFI/*/"$vendor_loader" | grep -vi /EFI/BOOT/ | head -n 1)")
test -s "/boot/efi/EFI/BOOT/$removable_loader"
test -s "$efi_folder/$vendor_loader"
cat >"$efi_folder/grub.cfg" <<END
search --no-floppy --fs-uuid --set=dev $(grub2-probe --target=fs_uuid /boot/grub2)
set prefix=(\$dev)$(grub2-mkrelpath /boot/grub2)
export prefix
configfile \$prefix/grub.cfg
END

# --- the initramfs must find its disk on any machine (dracut-config-generic)
for initramfs in /boot/initramfs-*.img; do
  kernel=${initramfs#/boot/initramfs-}
  lsinitrd "$initramfs" >/tmp/kvmimg-initramfs
  for driver in $drivers; do
    if ! grep -q "/$driver\.ko" /tmp/kvmimg-initramfs "/lib/modules/${kernel%.img}/modules.builtin"; then
      echo "kvmimg: $initramfs has no driver $driver" >&2
      exit 1
    fi
  done
done
rm -f /tmp/kvmimg-initramfs

# --- SELinux: labels of what was written here, also where the installer's kernel has none
setfiles -F /etc/selinux/targeted/contexts/files/file_contexts /etc /home /root
if [ -d /usr/lib/kvmimg ]; then
  # As programs, which systemd may run outside of its own confinement; files below /usr/lib are libraries to the policy.
  setfiles -F /etc/selinux/targeted/contexts/files/file_contexts /usr/lib/kvmimg
  chcon -R -t bin_t /usr/lib/kvmimg
fi
