#!/bin/bash
# Ready: sackd has the configuration, and slurmctld accepts what it signs.
set -euo pipefail
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
controller_answers
