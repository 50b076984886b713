#!/bin/bash
# Entry of the slurmctld container: run it on a configuration that was tried before, and take a new
# one without a restart.
#   OFFERED                       folder with the configuration and keys as they are described now
#   STATE_FOLDER                  StateSaveLocation, on the state claim
#   ACCOUNTING_HOST ACCOUNTING_PORT   slurmdbd
#   GRES_FILE                     included by gres.conf; workers fill it, here it is empty
# What is said of configurations ("is in force", "is refused") the bridge reads in this log.
set -euo pipefail
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
: "${OFFERED:?}" "${STATE_FOLDER:?}" "${ACCOUNTING_HOST:?}" "${ACCOUNTING_PORT:?}" "${GRES_FILE:?}"

in_force=/etc/slurm
kept=$STATE_FOLDER/sunk-configuration # the last one that slurmctld ran with

digest_in() {
  local digest=none
  [[ ! -e $1/digest ]] || digest=$(<"$1/digest")
  printf '%s' "$digest"
}

# copy_files FROM TO: each file whole, readable as auth/slurm wants its keys: not by others.
copy_files() {
  local file
  mkdir -p "$2"
  for file in "$1"/*; do
    cp --dereference "$file" "$2/.new"
    chmod 0440 "$2/.new"
    mv --force "$2/.new" "$2/${file##*/}"
  done
  # A file that is not described any more, such as topology.conf.
  for file in "$2"/*.conf; do
    [[ -e $1/${file##*/} ]] || rm --force "$file"
  done
}

# rehearse FOLDER: whether slurmctld starts with this configuration, on a port and a state of its own
# and without slurmdbd. A reconfigure with one that it cannot start with would be its end.
rehearse() {
  local trial own answer=1 pid
  trial=$(mktemp --directory /tmp/rehearsal.XXXXXX)
  copy_files "$1" "$trial"
  chmod 0600 "$trial"/*
  mkdir "$trial/state"
  own='AccountingStorage[A-Za-z]*|AuthAltParameters|AuthInfo|SlurmctldHost|SlurmctldPidFile|SlurmctldPort|StateSaveLocation'
  {
    grep -Ev "^($own)=" "$1/slurm.conf"
    # Its socket for requests would take the place of the running slurmctld's.
    sed -n 's/^AuthInfo=.*/&,disable_sack/p; s:^\(AuthAltParameters=.*\)/etc/slurm/:\1'"$trial"'/:p' "$1/slurm.conf"
    printf '%s\n' "SlurmctldHost=$(hostname)(127.0.0.1)" "SlurmctldPidFile=$trial/pid" \
      SlurmctldPort=16817 "StateSaveLocation=$trial/state"
  } >"$trial/trial.conf"
  mv --force "$trial/trial.conf" "$trial/slurm.conf"
  SLURM_CONF=$trial/slurm.conf timeout --kill-after=2 20 \
    /usr/sbin/slurmctld -D -c -f "$trial/slurm.conf" >"$trial/log" 2>&1 &
  pid=$!
  while [[ -d /proc/$pid ]]; do
    if grep -q "Running as primary controller" "$trial/log"; then
      answer=0
      break
    fi
    sleep 0.05
  done
  kill "$pid" || true # it may have ended by itself
  wait "$pid" || true # by our signal, or with its own status
  ((answer == 0)) || refusal=$(sed -n 's/^slurmctld: \(error\|fatal\): //p' "$trial/log" |
    grep -v "specified more than once\|state file\|state save file" | tail -2 | paste -sd ';')
  rm -r "$trial"
  return "$answer"
}

# apply_partitions: with KeepPartInfo slurmctld's saved state wins over slurm.conf, so that what was
# changed at run time survives a restart; a changed description has to be told to it, key by key.
# One that is not described any more goes once no job is in it: slurmctld refuses before.
apply_partitions() {
  local words word name
  while read -r -a words; do
    for word in "${words[@]:1}"; do
      timeout 10 scontrol update "${words[0]}" "$word" ||
        say "${words[0]} keeps its old value of ${word%%=*}: it can only be set when it is made"
    done
  done < <(grep '^PartitionName=' "$in_force/slurm.conf")
  [[ -e $kept/slurm.conf ]] || return 0
  while read -r name; do
    grep -q "^$name " "$in_force/slurm.conf" && continue
    timeout 10 scontrol delete "$name" || say "$name is not described any more, and stays: it is in use"
  done < <(sed -n 's/^\(PartitionName=[^ ]*\) .*/\1/p' "$kept/slurm.conf")
}

# give_up_node_sets: slurmctld keeps partitions in its own state and ends, now and at each start, when
# one of them names a NodeSet that slurm.conf does not have. So they lose it while it is still known.
give_up_node_sets() {
  local gone name sets rest one
  gone=$(comm -23 <(node_sets_of "$in_force") <(node_sets_of "$OFFERED"))
  [[ -n $gone ]] || return 0
  while read -r name sets; do
    rest=""
    for one in ${sets//,/ }; do
      grep -qxF "$one" <<<"$gone" || rest+=${rest:+,}$one
    done
    [[ $rest == "$sets" ]] || timeout 10 scontrol update "PartitionName=$name" "Nodes=$rest" || return 1
  done < <(timeout 10 scontrol --oneliner show partition |
    sed -n 's/^PartitionName=\([^ ]*\) .* NodeSets=\([^ ]*\) .*/\1 \2/p')
}

node_sets_of() {
  sed -n 's/^NodeSet=\([^ ]*\) .*/\1/p' "$1/slurm.conf" | sort
}

# told: workers and login nodes keep the configuration they fetched; a new one must be pushed.
told() {
  wait_for 120 "slurmctld to answer" controller_answers || return 1
  if [[ -e $kept/digest && $(digest_in "$kept") != "$(digest_in "$in_force")" ]]; then
    say "the configuration changed: telling all nodes"
    timeout 60 scontrol reconfigure || return 1
    wait_for 60 "slurmctld to answer" controller_answers || return 1
    apply_partitions
  fi
  copy_files "$in_force" "$kept"
  say "configuration $(digest_in "$in_force") is in force"
}

# admit_nodes: a worker that joined after slurmctld read topology.conf can run nothing, also where it
# is listed, until the next reconfigure (24.11). One for each batch: when no more join for a second.
admit_nodes() {
  local here
  [[ -e $in_force/topology.conf ]] || return 0
  # With the Pod that registered it (in Extra): one that left and came back has another place in
  # slurmctld. Not with slurmd's start, which a reconfigure changes.
  here=$(timeout 5 scontrol --oneliner show node |
    sed -n 's/^NodeName=\([^ ]*\) .* Extra=\({[^}]*}\).*/\1 \2/p' | sort) || return 0
  if [[ $here != "$admitted" && $here == "$present" ]]; then
    # Only names that are new matter; those that left are in nobody's way.
    if [[ -n $(comm -13 <(printf '%s\n' "$admitted") <(printf '%s\n' "$here")) ]]; then
      say "nodes joined: telling slurmctld to place them in its topology"
      timeout 60 scontrol reconfigure || return 0
    fi
    admitted=$here
  fi
  present=$here
}

# take_offers: for ever, look whether another configuration is offered, try it, and take it.
take_offers() {
  local seen=$1 now refusal said=$SECONDS present="" admitted=""
  until told; do sleep 1; done
  while sleep 1; do
    if ((SECONDS - said >= 600)); then
      # Where the bridge finds it, however much slurmctld has said meanwhile.
      say "configuration $(digest_in "$in_force") is in force"
      said=$SECONDS
    fi
    [[ $(digest_in "$kept") == "$(digest_in "$in_force")" ]] || told || continue
    admit_nodes
    now=$(digest_in "$OFFERED")
    [[ $now != "$seen" ]] || continue
    if rehearse "$OFFERED"; then
      give_up_node_sets || {
        say "partitions cannot give up their node sets: trying again"
        continue
      }
      seen=$now
      copy_files "$OFFERED" "$in_force"
      told || say "configuration $now could not be told to all: trying again"
    else
      seen=$now
      say "configuration $now is refused: $refusal"
    fi
  done
}

# slurmctld needs slurmdbd once, to learn resources and associations; afterwards it has them in its
# own state, and an outage of the accounting must not keep the scheduler down.
if [[ ! -e $STATE_FOLDER/assoc_mgr_state ]]; then
  wait_for 180 "slurmdbd at $ACCOUNTING_HOST:$ACCOUNTING_PORT (first start)" \
    port_open "$ACCOUNTING_HOST" "$ACCOUNTING_PORT"
fi
: >"$GRES_FILE"
refusal=""
if [[ -e $kept/slurm.conf ]] && rehearse "$kept"; then
  # What the saved state fits; a newer one is taken when slurmctld runs.
  copy_files "$kept" "$in_force"
  for file in "$OFFERED"/*.key; do
    cp --dereference --force "$file" "$in_force/"
    chmod 0440 "$in_force/${file##*/}"
  done
else
  copy_files "$OFFERED" "$in_force"
fi
# Twice forked, so that tini and not slurmctld becomes its parent.
(take_offers "$(digest_in "$in_force")" &)
exec /usr/sbin/slurmctld -D
