#!/bin/bash
# Entry of the slurmdbd container.
#   DATABASE_HOST DATABASE_PORT   MariaDB or MySQL
#   PASSWORD_FILE                 the site's password for it; without one it stands in slurmdbd.conf
#   SECRETS                       folder with slurmdbd.conf, slurm.key and jwt_hs256.key
set -euo pipefail
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
: "${DATABASE_HOST:?}" "${DATABASE_PORT:?}" "${SECRETS:?}"

# slurmdbd wants its configuration with mode 0600 and its own; a Secret's files are root's.
umask 077
for file in slurmdbd.conf slurm.key jwt_hs256.key; do
  install -m 0600 "$SECRETS/$file" "/etc/slurm/$file"
done
install -m 0644 /etc/sunk/slurm-conf/slurm.conf /etc/slurm/slurm.conf

# add_password FILE: slurmdbd.conf has no way to write every character.
add_password() {
  local password LC_ALL=C
  password=$(<"$1")
  [[ $password =~ ^[[:graph:]]+$ && $password != *[\"\#\\]* ]] ||
    die "the password in $1 is empty, or has a space, a quote, #, \\ or a character beyond ASCII"
  printf 'StoragePass="%s"\n' "$password" >>/etc/slurm/slurmdbd.conf
}

[[ -z ${PASSWORD_FILE:-} ]] || add_password "$PASSWORD_FILE"
# Without its database slurmdbd only retries; waiting here says so in one line instead of many.
wait_for 120 "MariaDB at $DATABASE_HOST:$DATABASE_PORT" port_open "$DATABASE_HOST" "$DATABASE_PORT"
exec /usr/sbin/slurmdbd -D
