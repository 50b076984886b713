#!/bin/bash
# Ready: sshd listens, and a user's Slurm commands reach slurmctld through sackd.
set -euo pipefail
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
listening=$(ss --no-header --listening --tcp --numeric "sport = :2222")
[[ -n $listening ]] || die "sshd does not listen"
controller_answers
