"""What hosts allow: modules and limits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sunk.assess.judge import Answer
from sunk.assess.verdict import Verdict
from sunk_fabric import subjects
from sunk_fabric.checks.answers import each, place, said, sound
from sunk_fabric.facts import Facts, Reading
from sunk_fabric.parse import proc_limits, proc_modules, sysfs_rdma
from sunk_fabric.parse.proc_limits import Limit

MODULES = ("ib_uverbs", "mlx5_core", "mlx5_ib", "rdma_cm")
LOCKED = "Max locked memory"


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
    """No limit of locked memory; one that cannot be raised says so."""

    def judge(reading: Reading[Mapping[str, Limit]]) -> Iterator[Answer]:
        subject = subjects.node(reading.host, "limits", reading.name or "process")
        limit = reading.parsed.value.get(LOCKED)
        if limit is None:
            yield said(Verdict.UNKNOWN, f"{LOCKED} is not told", subject, reading)
        elif limit.soft is None:
            yield said(Verdict.PASS, "locked memory is unlimited", subject, reading)
        elif limit.hard is None:
            words = f"locked memory is {limit.soft} bytes, and the process may raise it"
            yield said(Verdict.FAIL, words, subject, reading)
        else:
            words = (
                f"locked memory is {limit.soft} bytes and may be raised to {limit.hard} alone:"
                " whoever started the process has to give more"
            )
            yield said(Verdict.FAIL, words, subject, reading)

    yield from each(facts, proc_limits.parse, judge)
