#!/bin/sh
# Run in the live system by early-commands: cloud-init has read the answer file, the installer has not looked at it yet.
set -e
callback_url={{callbackUrl}}
syslog_host={{syslogHost}}
syslog_port={{syslogPort}}

# Nobody logs in to the installer.
systemctl stop ssh.service ssh.socket || true

# What the installer and its programs write goes to kvmimg as it comes.
cat >/run/kvmimg-log.sh <<'END'
#!/bin/sh
journalctl --follow --lines=all --output=cat | logger --udp --rfc3164 --server "$1" --port "$2" --tag journal
END

# Unpacking the system says nothing for minutes. As long as sectors are read or written, that is a sign of life.
cat >/run/kvmimg-progress.sh <<'END'
#!/bin/sh
before=
while sleep 20; do
  now=$(cat /sys/block/[hsv]*/stat /sys/block/nvme*/stat 2>/dev/null | awk '{ sum += $3 + $7 } END { print sum }')
  if [ "$now" != "$before" ]; then curl -fsS -o /dev/null "$1/progress"; fi
  before=$now
done
END
systemd-run --quiet --unit=kvmimg-log sh /run/kvmimg-log.sh "$syslog_host" "$syslog_port"
systemd-run --quiet --unit=kvmimg-progress sh /run/kvmimg-progress.sh "$callback_url"
