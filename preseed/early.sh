#!/bin/sh
# Run in d-i by partman/early_command: all udebs are loaded, the network is up, nothing is on the disk yet.
set -e
seed_url={{seedUrl}}
callback_url={{callbackUrl}}
disk_serial={{diskSerial}}

callback() { wget -q -O /dev/null "$callback_url/$1" || true; }
trap 'status=$?; callback "early-end/$status"; exit $status' EXIT
callback partman

# The disk that is the image, whatever bus it is on.
disk=
for link in /dev/disk/by-id/*"$disk_serial"; do
  if [ -e "$link" ]; then disk=$(readlink -f "$link"); fi
done
if [ -z "$disk" ]; then
  echo "kvmimg: no disk has the serial number $disk_serial" >&2
  exit 1
fi
debconf-set partman-auto/disk "$disk"

# Hooks that would each start apt, or look at the hardware, for nothing that an image needs.
rm -f /usr/lib/pre-pkgsel.d/10laptop-detect /usr/lib/pre-pkgsel.d/90popcon /usr/lib/pre-pkgsel.d/50save-logs \
  /usr/lib/finish-install.d/08hw-detect /usr/lib/finish-install.d/60cleanup /usr/lib/finish-install.d/10update-initramfs \
  /usr/lib/base-installer.d/20console-setup /usr/lib/post-base-installer.d/05localechooser

# Runs between debootstrap and the first apt of the new system.
wget -q -O /usr/lib/base-installer.d/90kvmimg "$seed_url/base.sh"
chmod 755 /usr/lib/base-installer.d/90kvmimg

# Saves debootstrap two minutes of emulated time.
pkgdetails=/usr/lib/debootstrap/pkgdetails
if [ -x $pkgdetails ]; then
  wget -q -O /tmp/pkgdetails.sh "$seed_url/pkgdetails.sh"
  mv $pkgdetails $pkgdetails.real
  mv /tmp/pkgdetails.sh $pkgdetails
  chmod 755 $pkgdetails
fi

# apt-setup would run "apt-get update" once for each line of sources. base.sh writes all of them before the one update of
# base-installer, so that here it only has to write its own line down.
cat >/usr/bin/apt-setup-verify <<'END'
#!/bin/sh
from=
to=
while [ $# -gt 0 ]; do
  case $1 in
    --from | --to) shift ;;
    --*) ;;
    *) if [ -z "$from" ]; then from=$1; else to=$1; fi ;;
  esac
  shift
done
if [ -n "$to" ]; then cat "$from" >>"$to"; fi
END
rm -f /usr/lib/apt-setup/generators/9*

# dpkg without fsync from the first package on: a build that is cut off starts again anyway. base-installer writes the
# same file later, and removes it at the end.
cat >/lib/partman/finish.d/99kvmimg <<'END'
#!/bin/sh
mkdir -p /target/etc/dpkg/dpkg.cfg.d
echo force-unsafe-io >/target/etc/dpkg/dpkg.cfg.d/force-unsafe-io
END
chmod 755 /lib/partman/finish.d/99kvmimg

# partman-efi sets the type of the ESP only where d-i itself was booted by UEFI; this disk boots both ways.
sed -i 's,! -d /sys/firmware/efi,! -d /sys,' /lib/partman/update.d/21efi_sync_flag
