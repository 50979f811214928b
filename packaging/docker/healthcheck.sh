#!/bin/bash
# Healthy is a server that answers HTTP, whatever it answers. Where api.listen is another, say so in LENSWIRE_API.
# In bash, because starting a runtime every half minute costs more than the server does.
set -eu

address=${LENSWIRE_API:-127.0.0.1:1984}
exec 3<>"/dev/tcp/${address%:*}/${address##*:}"
printf 'GET /api HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n' "$address" >&3
read -r -t 4 status <&3
[[ $status =~ ^HTTP/1\.1\ [1-4] ]]
