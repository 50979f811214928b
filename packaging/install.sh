#!/bin/sh
# Installs Lenswire as a service on Raspberry Pi OS, Debian and other Linux systems with systemd.
#
#   sh install.sh                   the newest release
#   sh install.sh --version 1.2.3   this one
#   sh install.sh --from URL|DIR    a release that lies elsewhere: the files and their SHA256SUMS
#   sh install.sh --uninstall       config and state stay; with --purge they go too
#
# It may be run again to upgrade. With DESTDIR set, the files are put below that folder and nothing is started.
set -eu

# The repository whose releases are taken; the script of a release knows its own.
repository=''

from=''
version=''
action=install
purge=no
destdir=${DESTDIR:-}
work=''

lib=$destdir/usr/local/lib/lenswire
link=$destdir/usr/local/bin/lenswire
unit=$destdir/etc/systemd/system/lenswire.service
config=$destdir/etc/lenswire
state=$destdir/var/lib/lenswire

say() { printf '%s\n' "$*"; }

fail() {
  printf 'Cannot %s Lenswire: %s\n' "$action" "$*" >&2
  exit 1
}

has() { command -v "$1" >/dev/null 2>&1; }

usage() {
  sed -n '2,/^$/s/^# \{0,1\}//p' "$0" 2>/dev/null || true
}

read_arguments() {
  while [ $# -gt 0 ]; do
    case $1 in
      --from | --version)
        [ $# -ge 2 ] || fail "option \"$1\" needs a value"
        if [ "$1" = --from ]; then from=$2; else version=${2#v}; fi
        shift
        ;;
      --uninstall) action=remove ;;
      --purge) purge=yes ;;
      -h | --help)
        usage
        exit 0
        ;;
      *) fail "unknown option \"$1\", see --help" ;;
    esac
    shift
  done
}

# The name of the program's build for this machine. A kernel of 64 bits may run a system of 32.
target() {
  bits=$(getconf LONG_BIT 2>/dev/null || echo 64)
  case $(uname -m)/$bits in
    x86_64/64) echo linux-x64 ;;
    aarch64/64 | arm64/64) echo linux-arm64 ;;
    aarch64/32 | arm*/32 | x86_64/32 | i?86/32 | mips*) echo node ;;
    *) fail "no build for the architecture \"$(uname -m)\": with Node 20 or later, the file lenswire-VERSION.mjs runs by itself" ;;
  esac
}

check_system() {
  [ "$(uname -s)" = Linux ] || fail "this script is for Linux; for $(uname -s) there is an archive to unpack and run"
  if [ -z "$destdir" ]; then
    [ "$(id -u)" = 0 ] || fail "it needs root: run it with sudo"
    has systemctl || fail "there is no systemd here: unpack the archive for this machine and run the program in it"
    if has dpkg-query; then
      for package in lenswire lenswire-node; do
        case $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true) in
          installed) fail "it is installed as a package already: upgrade with the newer .deb, or run \"apt remove $package\" first" ;;
        esac
      done
    fi
  fi
}

check_libc() {
  libc=$(getconf GNU_LIBC_VERSION 2>/dev/null || true)
  case $libc in
    glibc\ *) ;;
    *) fail "this system has no glibc (Alpine and others with musl): use the Docker image, or Node 20 with lenswire-VERSION.mjs" ;;
  esac
  if [ "$(printf '%s\n2.27\n' "${libc#glibc }" | sort -V | head -n 1)" != 2.27 ]; then
    fail "it needs glibc 2.27 or newer, this system has ${libc#glibc }"
  fi
}

check_node() {
  has node || fail "this machine needs Node 20 or later: run \"apt install nodejs\" (Debian 13 and later), or see https://nodejs.org"
  found=$(node --version)
  major=${found#v}
  [ "${major%%.*}" -ge 20 ] || fail "this machine needs Node 20 or later and has $found: Debian 13 and later bring it, or see https://nodejs.org"
}

# Fetches a file of the release into the working folder.
fetch() {
  case $from in
    http://* | https://*)
      if has curl; then
        curl --fail --silent --show-error --location --retry 2 --output "$work/$1" "$from/$1" || fail "\"$from/$1\" cannot be downloaded"
      elif has wget; then
        wget -q -O "$work/$1" "$from/$1" || fail "\"$from/$1\" cannot be downloaded"
      else
        fail "it needs curl or wget: run \"apt install curl\""
      fi
      ;;
    *)
      [ -r "$from/$1" ] || fail "there is no \"$1\" in \"$from\""
      cp "$from/$1" "$work/$1"
      ;;
  esac
}

check_tools() {
  for tool in sha256sum tar gzip; do has "$tool" || fail "it needs the program \"$tool\""; done
}

# Where the release is, when nothing was said.
find_release() {
  [ -z "$from" ] || return 0
  [ -n "$repository" ] || fail "this copy does not know where releases are: say --from URL or --from DIR"
  if [ -n "$version" ]; then
    from=https://github.com/$repository/releases/download/v$version
  else
    from=https://github.com/$repository/releases/latest/download
  fi
}

# Downloads, verifies and unpacks; leaves the unpacked folder in $tree.
get_program() {
  fetch SHA256SUMS
  archive=$(sed -n "s/^[0-9a-f]\{64\}  \(lenswire-[0-9][^ ]*-$1\.tar\.gz\)\$/\1/p" "$work/SHA256SUMS" | head -n 1)
  [ -n "$archive" ] || fail "the release at \"$from\" has nothing for \"$1\""
  case $archive in
    "lenswire-$version-$1.tar.gz") ;;
    *) [ -z "$version" ] || fail "the release at \"$from\" is \"$archive\", not version $version" ;;
  esac
  say "Getting $archive from $from"
  fetch "$archive"
  if ! (cd "$work" && grep "  $archive\$" SHA256SUMS | sha256sum -c - >/dev/null 2>&1); then
    fail "the checksum of \"$archive\" is wrong: nothing was changed; try again, or take it from somewhere else"
  fi
  tar -xzf "$work/$archive" -C "$work" || fail "\"$archive\" cannot be unpacked"
  tree=$work/${archive%.tar.gz}
}

# A file that is running can be replaced by another, but not written to.
put() {
  mkdir -p "$(dirname "$3")"
  cp "$1" "$3.new"
  chmod "$2" "$3.new"
  mv -f "$3.new" "$3"
}

install_files() {
  if [ "$1" = node ]; then
    put "$tree/lenswire.mjs" 0644 "$lib/lenswire.mjs"
    # shellcheck disable=SC2016 # The launcher passes on its own arguments.
    printf '#!/bin/sh\nexec node /usr/local/lib/lenswire/lenswire.mjs "$@"\n' >"$work/launcher"
    put "$work/launcher" 0755 "$lib/lenswire"
  else
    put "$tree/lenswire" 0755 "$lib/lenswire"
    rm -f "$lib/lenswire.mjs"
  fi
  mkdir -p "$(dirname "$link")"
  ln -sfn ../lib/lenswire/lenswire "$link"
  put "$tree/LICENSE" 0644 "$lib/LICENSE"
  sed 's|^ExecStart=/usr/bin/|ExecStart=/usr/local/bin/|' "$tree/lenswire.service" >"$work/unit"
  put "$work/unit" 0644 "$unit"
  mkdir -p "$config/plugins"
  if [ ! -e "$config/lenswire.yaml" ]; then
    put "$tree/lenswire.example.yaml" 0660 "$config/lenswire.yaml"
    chmod 0770 "$config"
  fi
}

add_user() {
  if ! getent passwd lenswire >/dev/null; then
    useradd --system --user-group --home-dir /var/lib/lenswire --no-create-home --shell /usr/sbin/nologin lenswire
  fi
  # Cameras, microphones and video encoders.
  for group in video audio render; do
    if getent group "$group" >/dev/null; then usermod --append --groups "$group" lenswire; fi
  done
  chown root:lenswire "$config"
  [ "$(stat -c %U "$config/lenswire.yaml")" != root ] || chgrp lenswire "$config/lenswire.yaml"
}

install_lenswire() {
  check_system
  check_tools
  name=$(target) || exit 1
  if [ "$name" = node ]; then check_node; else check_libc; fi
  find_release
  # Not in /tmp, which may be small, in memory, or forbid programs.
  mkdir -p "$(dirname "$lib")"
  work=$(mktemp -d "$(dirname "$lib")/lenswire.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  trap 'exit 1' HUP INT TERM
  get_program "$name"
  # Before anything is replaced: does it run here at all?
  if [ "$name" = node ]; then now=$(node "$tree/lenswire.mjs" --version); else now=$("$tree/lenswire" --version); fi ||
    fail "\"$archive\" does not run on this machine"
  install_files "$name"
  if [ -n "$destdir" ]; then
    say "Put $now below $destdir"
    return
  fi
  add_user
  systemctl daemon-reload
  systemctl enable --quiet lenswire
  systemctl restart lenswire || fail "$now is in place but does not start, see \"journalctl -u lenswire\""
  say "$now runs: http://localhost:1984, config in $config"
  say "A link that opens the settings from elsewhere: journalctl -u lenswire | grep link="
  has ffmpeg || say "Some sources need ffmpeg: apt install ffmpeg"
}

remove_lenswire() {
  [ -n "$destdir" ] || [ "$(id -u)" = 0 ] || fail "it needs root: run it with sudo"
  if [ -z "$destdir" ] && [ -e "$unit" ]; then
    systemctl disable --quiet --now lenswire || true
  fi
  rm -f "$unit" "$link"
  rm -rf "$lib"
  [ -n "$destdir" ] || systemctl daemon-reload
  if [ "$purge" = yes ]; then
    rm -rf "$config" "$state"
    if [ -z "$destdir" ] && getent passwd lenswire >/dev/null; then userdel lenswire; fi
    say "Lenswire is gone, config and state too"
  else
    say "Lenswire is gone; config and state are still in $config and $state"
  fi
}

# The whole script has been read before its first command runs: a download that broke off does nothing.
main() {
  read_arguments "$@"
  "${action}_lenswire"
}

main "$@"
