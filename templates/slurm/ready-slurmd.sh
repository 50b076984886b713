#!/bin/bash
# Ready: this slurmd answers, and slurmctld has talked to it since it started.
set -euo pipefail
answer=$(timeout 5 scontrol show slurmd)
[[ $answer == *"Last slurmctld msg time"* && $answer != *"Last slurmctld msg time = NONE"* ]] || {
  printf '%s\n' "$answer" >&2
  exit 1
}
