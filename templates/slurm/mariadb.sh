#!/bin/bash
# Entry of the MariaDB container: make the data folder once, then run the server.
#   DATABASE_CLAIM   folder where the claim is mounted
#   DATABASE_INIT    SQL file that the server runs at every start
#   DATABASE_CONF    the server's option file
set -euo pipefail
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
: "${DATABASE_CLAIM:?}" "${DATABASE_INIT:?}" "${DATABASE_CONF:?}"

data=$DATABASE_CLAIM/data
# An install that was cut short never got its final name; start over.
rm -rf "$DATABASE_CLAIM"/install.*
if [[ ! -d $data ]]; then
  say "making the data folder $data"
  fresh=$(mktemp -d "$DATABASE_CLAIM/install.XXXXXX")
  # Not synced while it is made (seconds on a slow disk): the sync below comes before the rename.
  timeout 300 mariadb-install-db --no-defaults --datadir="$fresh" --skip-test-db \
    --auth-root-authentication-method=socket --auth-root-socket-user=mysql \
    --innodb-flush-method=nosync --innodb-log-file-size=64M >&2
  sync -f "$fresh"
  mv -T "$fresh" "$data"
fi
exec mariadbd --defaults-file="$DATABASE_CONF" --datadir="$data" --init-file="$DATABASE_INIT"
