#!/bin/sh
# Run by %pre for as long as Anaconda runs: sends home what is new in its logs, in whole lines.
callback_url={{callbackUrl}}
logs=/tmp

# What the parts of Anaconda that are processes of their own say goes to the journal.
journalctl -f -n all -o cat -t org.fedoraproject.Anaconda.Boss -t org.fedoraproject.Anaconda.Modules.Payloads \
  -t org.fedoraproject.Anaconda.Modules.Storage >"$logs/modules.log" 2>/dev/null &

# Ends with the machine, or when there is nobody who takes what is sent.
refused=0
while sleep 5 && [ "$refused" -lt 5 ]; do
  for name in anaconda packaging modules; do
    if [ ! -e "$logs/$name.log" ]; then continue; fi
    before=$(cat "$logs/kvmimg-sent-$name" 2>/dev/null || echo 0)
    count=$(($(wc -l <"$logs/$name.log") - before))
    # In portions: a request may hold 1 MiB at most.
    if [ "$count" -gt 1000 ]; then count=1000; fi
    if [ "$count" -le 0 ]; then continue; fi
    # What does not arrive is not sent again: a portion that cannot be taken must not keep back the rest.
    echo $((before + count)) >"$logs/kvmimg-sent-$name"
    tail -n "+$((before + 1))" "$logs/$name.log" | head -n "$count" |
      curl -fsS -m 30 -o /dev/null --data-binary @- "$callback_url/log/$name" || refused=$((refused + 1))
  done
done
