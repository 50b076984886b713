#!/bin/bash
# Entry of the sackd container of a login Pod: fetches slurm.conf, signs requests for users.
#   CONTROLLER_HOST CONTROLLER_PORT   slurmctld
set -euo pipefail
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
: "${CONTROLLER_HOST:?}" "${CONTROLLER_PORT:?}"

wait_for 300 "slurmctld at $CONTROLLER_HOST:$CONTROLLER_PORT" \
  port_open "$CONTROLLER_HOST" "$CONTROLLER_PORT"
exec /usr/sbin/sackd -D --conf-server "$CONTROLLER_HOST:$CONTROLLER_PORT"
