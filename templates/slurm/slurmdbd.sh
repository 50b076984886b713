#!/bin/bash
# Entry of the slurmdbd container.
#   DATABASE_HOST DATABASE_PORT   MariaDB
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
# Without its database slurmdbd only retries; waiting here says so in one line instead of many.
wait_for 120 "MariaDB at $DATABASE_HOST:$DATABASE_PORT" port_open "$DATABASE_HOST" "$DATABASE_PORT"
exec /usr/sbin/slurmdbd -D
