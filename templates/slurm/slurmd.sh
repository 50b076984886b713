#!/bin/bash
# Entry of a worker: settle what Slurm still believes about this name, then run slurmd.
#   CONTROLLER_HOST CONTROLLER_PORT   slurmctld
#   NODE_CONF                         slurmd --conf: CPUs, RealMemory, Feature, Gres
#   NODE_GPUS                         devices that the Pod asked for
#   GRES_FILE                         included by gres.conf
#   NODE_UID_FILE                     UID of the Kubernetes Node; the bridge notes it once the Pod is bound
#   POD_UID                           UID of this Pod; both stand in the record that slurmd makes
#   SETTLE_CONF                       slurm.conf with slurm.key beside it, for what comes before slurmd
set -euo pipefail
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
: "${CONTROLLER_HOST:?}" "${CONTROLLER_PORT:?}" "${NODE_CONF:?}" "${NODE_GPUS:?}" "${POD_UID:?}"
: "${SETTLE_CONF:?}" "${GRES_FILE:?}" "${NODE_UID_FILE:?}"

node=$(hostname)
server=$CONTROLLER_HOST:$CONTROLLER_PORT

# settle_old_record: jobs of an earlier Pod of this name died with it. Slurm would notice after more
# than a minute; say so now. The record stays where the new worker is like the old one: a waiting job
# that names a node which Slurm does not know, if only for a second, is held for ever.
settle_old_record() {
  local record reason
  record=$(timeout 10 scontrol -o show node "$node" 2>&1) || {
    [[ $record == *"not found"* ]] && return
    say "scontrol show node $node: $record"
    return 1
  }
  reason=$(sed -n 's/.* Reason=\(.*\) \[[^]]*\].*/\1/p' <<<"$record")
  if [[ $record == *DRAIN* && $reason == sunk* ]]; then
    timeout 10 scontrol update "nodename=$node" state=undrain
    reason=""
  fi
  say "taking down the record of an earlier Pod of the name $node"
  timeout 10 scontrol update "nodename=$node" state=down "reason=${reason:-sunk: a new Pod took this name}"
  if like_before "$record"; then
    timeout 10 scontrol update "nodename=$node" "extra=$extra"
    return
  fi
  if [[ $record == *DRAIN* && $reason != "" ]]; then
    say "node $node was drained by somebody else ($reason): its record stays"
    timeout 10 scontrol update "nodename=$node" "extra=$extra"
    return
  fi
  wait_for 10 "Slurm to forget the earlier $node" timeout 5 scontrol delete "nodename=$node" ||
    say "the record stays; slurmd takes it over"
}

# like_before RECORD: whether the record has the CPUs, memory, features and devices of this worker.
like_before() {
  local word
  for word in $NODE_CONF; do
    word=${word/#CPUs=/CPUTot=}
    word=${word/#Feature=/AvailableFeatures=}
    [[ " $1 " == *" $word "* ]] || return 1
  done
  [[ $NODE_CONF == *Gres=* || " $1 " == *" Gres=(null) "* ]]
}

# write_gres: this Pod's own part of gres.conf, which slurmctld's includes. The device plugin gives
# devices under the machine's numbers, with gaps; Slurm counts them from 0 in this order, and so does
# CUDA inside the Pod, so that CUDA_VISIBLE_DEVICES is right.
write_gres() {
  local devices=() device
  if ((NODE_GPUS > 0)); then
    while read -r device; do
      [[ -c $device ]] && devices+=("$device")
    done < <(find /dev -maxdepth 1 -regex '/dev/nvidia[0-9]+' | sort --version-sort)
    ((${#devices[@]} == NODE_GPUS)) ||
      die "the Pod asked for $NODE_GPUS GPUs, /dev has ${#devices[@]}: ${devices[*]}"
  fi
  mkdir -p "$(dirname "$GRES_FILE")"
  : >"$GRES_FILE"
  for device in "${devices[@]}"; do
    printf 'Name=gpu File=%s\n' "$device" >>"$GRES_FILE"
  done
}

umask 022
write_gres
mkdir -p /var/spool/slurmd /run/slurm
rm -rf /run/slurm/* /var/spool/slurmd/*
wait_for 600 "slurmctld at $server" port_open "$CONTROLLER_HOST" "$CONTROLLER_PORT"
# Slurm's clients sign requests through a socket of sackd or slurmd; before slurmd runs there is none.
# From a file, because a sackd that fetched its configuration listens on slurmd's port, and dies of
# what slurmctld sends there to the earlier Pod of this name.
export SLURM_CONF=$SETTLE_CONF
/usr/sbin/sackd -D -f "$SLURM_CONF" &
sackd=$!
wait_for 60 "slurmctld to answer" controller_answers || die "slurmctld does not answer"
# A worker that starts while there is no bridge goes without.
wait_for 5 "the Kubernetes node's UID" test -s "$NODE_UID_FILE" || true
extra="{\"podUid\": \"$POD_UID\", \"nodeUid\": \"$(tr -cd '[:alnum:]-' <"$NODE_UID_FILE")\"}"
settle_old_record || die "cannot settle the record of $node"
kill "$sackd"
wait "$sackd" || true # ends by our signal
unset SLURM_CONF
rm -rf /run/slurm/*
exec /usr/sbin/slurmd -D -Z --conf-server "$server" --conf "$NODE_CONF" \
  --extra "$extra"
