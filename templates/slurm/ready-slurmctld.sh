#!/bin/bash
# Ready: slurmctld answers a request, and says that it is up.
set -euo pipefail
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
controller_answers
