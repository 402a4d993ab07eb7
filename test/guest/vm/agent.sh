#!/bin/sh
# The tests' hand inside: reads scripts from the port to the host, one line of base64 each, and answers with three
# lines: exit code, stdout, stderr (the last two in base64). What a script leaves running does not hold its answer up.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8
cd /root
for name in /sys/class/virtio-ports/*; do exec 3<>"/dev/${name##*/}"; done
echo ready >&3
while read -r line <&3; do
  echo "$line" | base64 -d >/tmp/.script
  timeout 150 sh /tmp/.script </dev/null >/tmp/.stdout 2>/tmp/.stderr 3>&-
  code=$?
  { echo "$code"; base64 -w0 /tmp/.stdout; echo; base64 -w0 /tmp/.stderr; echo; } >&3
done
