"""What hosts allow: modules and limits."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sunk.assess.judge import Answer
from sunk.assess.verdict import Verdict
from sunk.model.hostlist import folded
from sunk_fabric import subjects
from sunk_fabric.checks.answers import each, place, said, sound
from sunk_fabric.facts import Facts, Reading
from sunk_fabric.parse import proc_limits, proc_modules, sysfs_rdma
from sunk_fabric.parse.proc_limits import Limit

MODULES = ("ib_uverbs", "mlx5_core", "mlx5_ib", "rdma_cm")
LOCKED = "Max locked memory"
SHELL = "shell"
"""The process whose limits are those of who logs in, as `sunk fabric collect` does."""
_OF_SHELLS = (
    "a line '* - memlock unlimited' in /etc/security/limits.d, or LimitMEMLOCK=infinity for sshd;"
    " from a login node jobs take it along: PropagateResourceLimitsExcept=MEMLOCK"
)


def modules(facts: Facts) -> Iterator[Answer]:
    """Every module is loaded, or built in as the devices that it makes are there."""
    with_devices = {
        one.host: one for one in sound(facts, sysfs_rdma.parse) if one.parsed.value.devices
    }

    def judge(reading: Reading[frozenset[str]]) -> Iterator[Answer]:
        missing = [name for name in MODULES if name not in reading.parsed.value]
        words = f"not loaded: {', '.join(missing)}" if missing else f"{', '.join(MODULES)} loaded"
        proof = with_devices.get(reading.host)
        if missing and proof is not None:
            words = f"{words}; built in, as RDMA devices are there"
            yield said(Verdict.PASS, words, place(reading), reading, proof)
        else:
            verdict = Verdict.FAIL if missing else Verdict.PASS
            yield said(verdict, words, place(reading), reading)

    yield from each(facts, proc_modules.parse, judge)


def memlock(facts: Facts) -> Iterator[Answer]:
    """No limit of locked memory; one that cannot be raised says so.

    The same limit at many processes has one cause, such as a default of systemd, and is one answer.
    """
    low: dict[Limit, list[Reading[Any]]] = defaultdict(list)

    def judge(reading: Reading[Mapping[str, Limit]]) -> Iterator[Answer]:
        limit = reading.parsed.value.get(LOCKED)
        if limit is None:
            yield said(Verdict.UNKNOWN, f"{LOCKED} is not told", _process(reading), reading)
        elif limit.soft is None:
            yield said(Verdict.PASS, "locked memory is unlimited", _process(reading), reading)
        else:
            low[limit].append(reading)

    yield from each(facts, proc_limits.parse, judge)
    for limit, readings in sorted(low.items(), key=lambda one: str(one[0])):
        yield _limited(limit, readings)


def _process(reading: Reading[Any]) -> str:
    return subjects.node(reading.host, "limits", reading.name or "process")


def _limited(limit: Limit, readings: Sequence[Reading[Any]]) -> Answer:
    processes = [_process(one) for one in readings]
    hosts = {one.host for one in readings}
    subject = subjects.limit("memlock")
    if len(processes) == 1:
        subject = processes[0]
    elif len(hosts) == 1:
        subject = subjects.node(*hosts, "limits")
    words = f"locked memory is {limit.soft} bytes"
    if len(processes) > 1:
        words += f" for {_places(readings)}"
    if limit.hard is None:
        words += ", and the process may raise it"
    else:
        words += f" and may be raised to {limit.hard} alone: whoever started the process has to"
        words += " give more"
    remedy = _OF_SHELLS if {one.name for one in readings} == {SHELL} else ""
    return said(Verdict.FAIL, words, subject, *readings, touches=processes, remedy=remedy)


def _places(readings: Sequence[Reading[Any]]) -> str:
    """Return which processes on which hosts, those of the same hosts together."""
    hosts: dict[str, set[str]] = defaultdict(set)
    for one in readings:
        hosts[one.name or "process"].add(one.host)
    names: dict[str, list[str]] = defaultdict(list)
    for name in sorted(hosts):
        names[folded(hosts[name])].append(name)
    return "; ".join(f"{' and '.join(each)} on {where}" for where, each in names.items())
