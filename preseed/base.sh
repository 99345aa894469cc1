#!/bin/sh
# Run in d-i by base-installer, right after debootstrap and before the first apt run in the new system.
set -e
callback_url={{callbackUrl}}
mirror_url={{mirrorUrl}}
security_url={{securityUrl}}
codename={{codename}}
host_private_key={{hostPrivateKey}}
host_public_key={{hostPublicKey}}
keyboard_layout={{keyboardLayout}}
keyboard_variant={{keyboardVariant}}
target=/target

callback() { wget -q -O /dev/null "$callback_url/$1" || true; }
trap 'status=$?; callback "base-end/$status"; exit $status' EXIT
callback base

# Both are removed by the seal. The mirror cache answers when it has a whole file and its digest: over a slow line that is
# later than the 30 s that apt would wait.
mkdir -p $target/etc/apt/apt.conf.d $target/etc/apt/sources.list.d
cat >$target/etc/apt/apt.conf.d/00kvmimg-build <<'END'
Acquire::Languages "none";
APT::Install-Recommends "false";
Dpkg::Use-Pty "false";
Acquire::http::Timeout "900";
END
cat >$target/etc/apt/sources.list.d/kvmimg-build.list <<END
deb $mirror_url $codename-updates main
deb $security_url $codename-security main
END

# The build's host key, before openssh-server makes one of that kind: the first connection is verified, not trusted.
mkdir -p $target/etc/ssh
(umask 077 && printf '%s\n' "$host_private_key" >$target/etc/ssh/ssh_host_ed25519_key)
printf '%s\n' "$host_public_key" >$target/etc/ssh/ssh_host_ed25519_key.pub

# Before keyboard-configuration, where it is installed: it keeps what it finds.
mkdir -p $target/etc/default
cat >$target/etc/default/keyboard <<END
XKBMODEL="pc105"
XKBLAYOUT="$keyboard_layout"
XKBVARIANT="$keyboard_variant"
XKBOPTIONS=""
BACKSPACE="guess"
END

# Commands that many packages call and that take long when emulated (an initramfs: minutes). late.sh runs each once.
for command in /usr/sbin/update-initramfs /usr/sbin/update-ca-certificates /usr/bin/py3compile; do
  chroot $target dpkg-divert --local --rename --quiet --add "$command"
  printf '#!/bin/sh\necho "$0 $*" >>/var/tmp/kvmimg-deferred\n' >"$target$command"
  chmod 755 "$target$command"
done

# What d-i has put on its list is among the packages of the answer file.
rm -f /var/lib/apt-install/queue
