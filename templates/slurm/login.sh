#!/bin/bash
# Entry of the sshd container of a login Pod: makes homes, then serves SSH.
#   USERS_FILE    passwd(5) of the cluster's users
#   SSHD_CONFIG   sshd_config
set -euo pipefail
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
: "${USERS_FILE:?}" "${SSHD_CONFIG:?}"

# make_home NAME UID GID HOME: under a name of its own first, so that a cut leaves no half-made home.
make_home() {
  local name=$1 uid=$2 gid=$3 home=$4 fresh
  [[ -e $home || -L $home ]] && return
  fresh=$(mktemp -d "/home/.new.XXXXXX") || return
  cp -r /etc/skel/. "$fresh/" && chmod 0700 "$fresh" && chown -R "$uid:$gid" "$fresh" &&
    mv -T "$fresh" "$home" || return
  say "made the home of $name"
}

make_homes() {
  local name uid gid home _
  while IFS=: read -r name _ uid gid _ home _; do
    make_home "$name" "$uid" "$gid" "$home" || say "cannot make $home for $name"
  done <"$USERS_FILE"
}

# keep_homes: a user added to the description gets a home without a restart.
keep_homes() {
  while sleep 5; do make_homes; done
}

# A fresh volume is often writable for all; only root may add to /home.
if [[ -O /home ]]; then
  chmod 0755 /home
  rm -rf /home/.new.*
fi
make_homes
mkdir -p /run/sshd
chmod 0755 /run/sshd
(keep_homes &)
exec /usr/sbin/sshd -D -e -f "$SSHD_CONFIG"
