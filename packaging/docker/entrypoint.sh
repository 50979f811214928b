#!/bin/sh
# Starts Lenswire in a container, without rights: as the owner of /config, or as "deno" where that is root.
set -eu

first=${LENSWIRE_FIRST_CONFIG:-}
if [ -n "$first" ] && [ ! -e /config/lenswire.yaml ] && [ ! -e /config/go2rtc.yaml ]; then
  cp "$first" /config/lenswire.yaml
fi

if [ "$(id -u)" = 0 ]; then
  user=$(stat -c %u /config 2>/dev/null || echo 0)
  group=$(stat -c %g /config 2>/dev/null || echo 0)
  if [ "$user" = 0 ]; then
    user=$(id -u deno)
    group=$(id -g deno)
    # A new volume, or a folder of Home Assistant: the web editor shall be able to save.
    for path in /config /config/lenswire.yaml /config/go2rtc.yaml; do
      if [ -e "$path" ]; then chown "$user:$group" "$path"; fi
    done
  fi
  # The devices that were passed in belong to groups of the host.
  groups=$group
  for device in /dev/video* /dev/dri/* /dev/snd/*; do
    if [ -c "$device" ] && [ "$(stat -c %g "$device")" != 0 ]; then groups=$groups,$(stat -c %g "$device"); fi
  done
  exec setpriv --reuid "$user" --regid "$group" --groups "$groups" --no-new-privs "$0" "$@"
fi

export HOME=/tmp
exec deno run --quiet --allow-all --no-prompt --config /app/deno.json --no-lock --cached-only /app/main.js "$@"
