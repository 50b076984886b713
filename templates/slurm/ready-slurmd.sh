#!/bin/bash
# Ready: this slurmd answers, and slurmctld has talked to it since it started. At the start that is
# a matter of a moment, so it is waited for here: the next probe is half a minute away. All of it
# stays below the probe's timeout.
set -euo pipefail
until answer=$(timeout 3 scontrol show slurmd) &&
  [[ $answer == *"Last slurmctld msg time"* && $answer != *"Last slurmctld msg time = NONE"* ]]; do
  ((SECONDS < 4)) || {
    printf '%s\n' "$answer" >&2
    exit 1
  }
  sleep 0.5
done
