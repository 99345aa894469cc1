#!/bin/sh
# Run in the live system by error-commands, when a step of the installer has failed: sends the logs home, and at last the
# lines that tell the cause.
callback_url={{callbackUrl}}

# usage: send POINT: standard input as the body, which may have 1 MiB
send() { tail -c 500000 | curl -fsS -o /dev/null --data-binary @- "$callback_url/$1"; }

journalctl --sync
for name in subiquity-server-debug.log curtin-install.log; do
  if [ -e "/var/log/installer/$name" ]; then tail -n 400 "/var/log/installer/$name" | send "log/$name"; fi
done
journalctl --boot --lines=400 --output=cat | send log/journal
for file in /var/log/installer/curtin-install.log /var/log/installer/subiquity-server-debug.log; do
  grep -hE '^E: |[Ee]rror:|ERROR|FAIL|Traceback|non-zero exit' "$file" 2>/dev/null | tail -n 15
done | send failed
