# shellcheck shell=bash
# Shared by the entry scripts of every daemon; sourced, never run.

# say WORDS...: one line in the container's log, with the time.
say() {
  printf '%s sunk: %s\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$*" >&2
}

die() {
  say "$*"
  exit 1
}

# wait_for SECONDS WHAT COMMAND...: repeat the command until it succeeds. Every 5 s the log says what
# is waited for and what the last try said.
wait_for() {
  local limit=$1 what=$2 started=$SECONDS told=-1 said waited
  shift 2
  until said=$("$@" 2>&1); do
    waited=$((SECONDS - started))
    if ((waited >= limit)); then
      say "gave up after ${limit} s waiting for ${what}: ${said}"
      return 1
    fi
    if ((waited / 5 != told)); then
      told=$((waited / 5))
      say "waiting for ${what}: ${said}"
    fi
    sleep 0.2
  done
}

# port_open HOST PORT: whether somebody listens there.
port_open() {
  # shellcheck disable=SC2016  # the inner shell expands its own arguments
  timeout 3 bash -c 'exec 3<>"/dev/tcp/$1/$2"' port_open "$1" "$2"
}

# controller_answers: whether slurmctld answers a request, not only a connection.
controller_answers() {
  local answer
  answer=$(timeout 5 scontrol ping 2>&1) || {
    printf '%s\n' "$answer"
    return 1
  }
  [[ $answer == *" is UP"* ]] || {
    printf '%s\n' "$answer"
    return 1
  }
}
