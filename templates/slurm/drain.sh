#!/bin/bash
# preStop of a worker: no new jobs, wait for the running ones, then say that the node is down. Its record
# stays for the next Pod of the name; if there will be none, the bridge removes it.
#   DRAIN_SECONDS   how long jobs may go on
#   POD_UID         UID of this Pod, by which its record is told from that of the next Pod of the name
# slurmd keeps running: the kubelet stops it afterwards. Each call has a time limit, so that a
# controller that is gone already (a whole namespace deleted) does not hold the Pod.
set -euo pipefail
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
: "${DRAIN_SECONDS:?}" "${POD_UID:?}"
exec >/proc/1/fd/1 2>&1 # a hook's output is lost; this is the container's log

node=$(hostname)
ours="sunk: Pod stops"
record=$(timeout 5 scontrol -o show node "$node" 2>&1) || {
  if [[ $record == *"not found"* ]]; then
    say "Slurm has forgotten $node already: the bridge drained it"
    exit 0
  fi
  die "slurmctld does not answer: stopping without a drain: $record"
}
# A Pod that was deleted without grace is gone for Kubernetes while this still runs.
if [[ $record != *"$POD_UID"* ]]; then
  say "another Pod has registered $node already"
  exit 0
fi
reason=$(sed -n 's/.* Reason=\(.*\) \[[^]]*\].*/\1/p' <<<"$record")
if [[ $record == *DRAIN* && $reason != sunk* ]]; then
  ours=$reason # somebody else's drain keeps its reason, also in the next Pod
else
  say "draining $node"
  timeout 5 scontrol update "nodename=$node" state=drain "reason=$ours" ||
    die "slurmctld does not take the drain: stopping without it"
fi
deadline=$((SECONDS + DRAIN_SECONDS))
heard=$SECONDS
while :; do
  if jobs=$(timeout 5 squeue --noheader --format %A --nodelist "$node"); then
    heard=$SECONDS
    [[ -n $jobs ]] || break
    if ((SECONDS >= deadline)); then
      say "requeuing what still runs on $node: ${jobs//$'\n'/ }"
      break
    fi
  elif ((SECONDS - heard >= 15)); then
    # Longer than a restart of slurmctld takes: it is gone as well.
    die "slurmctld is silent: stopping without waiting for jobs"
  fi
  sleep 0.5
done
record=$(timeout 5 scontrol -o show node "$node")
if [[ $record == *"$POD_UID"* ]]; then
  timeout 5 scontrol update "nodename=$node" state=down "reason=$ours"
fi
