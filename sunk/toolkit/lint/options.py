"""The options of sbatch and srun: names, letters, and which take a value.

Facts of sbatch(1) and srun(1), Slurm 24.11; later options that older releases refuse are there
too, with the release that brought them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Takes(Enum):
    """Whether an option takes a value, as in getopt_long(3)."""

    NONE = "none"
    REQUIRED = "required"
    OPTIONAL = "optional"


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionForm:
    """How an option is written.

    Attributes:
        name: long name without dashes.
        letter: short form, empty when there is none.
        takes: whether it has a value.
        since: release that brought it, for those that 24.11 lacks.
    """

    name: str
    letter: str = ""
    takes: Takes = Takes.REQUIRED
    since: tuple[int, int] | None = None


_BOTH = """
account:A acctg-freq bb bbf begin chdir:D cluster-constraint clusters:M comment constraint:C
container container-id core-spec:S cores-per-socket cpu-freq cpus-per-gpu cpus-per-task:c deadline
delay-boot dependency:d distribution:m error:e exclude:x export extra
extra-node-info:B gid gpu-bind gpu-freq gpus:G gpus-per-node gpus-per-socket gpus-per-task gres
gres-flags hint input:i job-name:J licenses:L mail-type mail-user mcs-label mem mem-bind
mem-per-cpu mem-per-gpu mincpus network nodefile:F nodelist:w nodes:N ntasks:n ntasks-per-core
ntasks-per-gpu ntasks-per-node ntasks-per-socket ntasks-per-tres open-mode output:o partition:p
prefer priority profile qos:q reservation segment signal sockets-per-node switches
tasks-per-node thread-spec threads-per-core time:t time-min tmp tres-bind tres-per-task uid wckey
"""
_BOTH_OPTIONAL = "exclusive nice no-kill:k oom-kill-step propagate resv-ports"
_BOTH_FLAGS = """
contiguous help:h hold:H overcommit:O oversubscribe:s quiet:Q reboot spread-job stepmgr test-only
usage use-min-nodes verbose:v version:V
"""
_BATCH = "array:a batch export-file kill-on-invalid-dep wait-all-nodes wrap"
_BATCH_OPTIONAL = "get-user-env"
_BATCH_FLAGS = "ignore-pbs parsable no-requeue requeue wait:W"
_STEP = """
accel-bind compress cpu-bind epilog external het-group jobid mpi msg-timeout multi-prog-file
prolog relative:r slurmd-debug task-epilog task-prolog treewidth wait:W
"""
_STEP_OPTIONAL = "x11 bcast immediate:I kill-on-bad-exit:K pty send-libs"
_STEP_FLAGS = """
disable-status:X exact interactive label:l multi-prog no-allocate:Z overlap
preserve-env:E quit-on-interrupt unbuffered:u whole
"""
_LATER = {"consolidate-segments": (25, 5), "spread-segments": (25, 5)}
_ALIASES = {"tasks-per-node": "ntasks-per-node"}


def _forms(text: str, takes: Takes) -> dict[str, OptionForm]:
    parted = (word.partition(":") for word in text.split())
    return {name: OptionForm(name=name, letter=letter, takes=takes) for name, _, letter in parted}


_COMMON = (
    _forms(_BOTH, Takes.REQUIRED)
    | _forms(_BOTH_OPTIONAL, Takes.OPTIONAL)
    | _forms(_BOTH_FLAGS, Takes.NONE)
)
SBATCH = (
    _COMMON
    | _forms(_BATCH, Takes.REQUIRED)
    | _forms(_BATCH_OPTIONAL, Takes.OPTIONAL)
    | _forms(_BATCH_FLAGS, Takes.NONE)
    | {name: OptionForm(name=name, takes=Takes.NONE, since=at) for name, at in _LATER.items()}
)
"""Long names of sbatch's options."""
SRUN = (
    _COMMON
    | _forms(_STEP, Takes.REQUIRED)
    | _forms(_STEP_OPTIONAL, Takes.OPTIONAL)
    | _forms(_STEP_FLAGS, Takes.NONE)
)
"""Long names of srun's options."""

SPANK = {
    **_forms("container-image container-mounts container-workdir container-name", Takes.REQUIRED),
    **_forms("container-save container-env", Takes.REQUIRED),
    **_forms("container-mount-home no-container-mount-home container-remap-root", Takes.NONE),
    **_forms("no-container-remap-root container-entrypoint", Takes.NONE),
    **_forms("no-container-entrypoint container-writable container-readonly", Takes.NONE),
    **_forms("container-entrypoint-log", Takes.NONE),
}
"""Options that the pyxis plugin adds to both commands."""


def canonical(name: str) -> str:
    """Return the name that means the same option."""
    return _ALIASES.get(name, name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """What a long name means.

    Attributes:
        form: the option, None when there is none or several.
        candidates: what an ambiguous abbreviation may mean, sorted.
        abbreviated: it is a unique beginning of the option's name.
    """

    form: OptionForm | None = None
    candidates: tuple[str, ...] = ()
    abbreviated: bool = False


def match_long(name: str, table: dict[str, OptionForm]) -> Match:
    """Return what a long name means, as getopt_long(3) decides it: exact, or a unique beginning."""
    known = {**table, **SPANK}
    if name in known:
        return Match(form=known[name])
    if name in _ALIASES:
        return Match(form=known[_ALIASES[name]])
    found = sorted(one for one in known if one.startswith(name)) if name else []
    if len(found) == 1:
        return Match(form=known[found[0]], abbreviated=True)
    return Match(candidates=tuple(found))


def letters(table: dict[str, OptionForm]) -> dict[str, OptionForm]:
    """Return the options of a table by their short forms."""
    return {form.letter: form for form in table.values() if form.letter}
