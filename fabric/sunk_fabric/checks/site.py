"""What a site declared, beside what is there: partitions, mounts, managers, the vendor's tool."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sunk.assess.judge import Answer
from sunk.assess.verdict import Verdict
from sunk_fabric import subjects
from sunk_fabric.checks.answers import each, place, said, sound
from sunk_fabric.facts import Facts, Reading
from sunk_fabric.parse import ibdiagnet_screen, proc_mounts, sharp_hello, sharp_manager, sysfs_rdma
from sunk_fabric.parse.ibdiagnet_screen import Screen
from sunk_fabric.parse.proc_mounts import Mount
from sunk_jobs.sysfs_rdma import Snapshot

FULL = 0x8000
"""The bit of a partition key that stands for full membership."""


def partitions(facts: Facts) -> Iterator[Answer]:
    """Ports of InfiniBand adapters have the declared keys and no others."""
    wanted = {one.lower() for one in facts.expected.pkeys}

    def judge(reading: Reading[Snapshot]) -> Iterator[Answer]:
        asked = 0
        for device in reading.parsed.value.devices:
            for port in device.ports:
                if port.values.get("link_layer") != "InfiniBand":
                    continue
                asked += 1
                subject = subjects.node(reading.host, device.name, str(port.number))
                there = {one.lower() for one in port.pkeys}
                words = ", ".join(sorted(there)) or "no key"
                gone, more = sorted(wanted - there), sorted(there - wanted)
                if not wanted:
                    words = f"{words}; no keys are declared"
                    yield said(Verdict.UNKNOWN, words, subject, reading)
                elif gone or more:
                    words = (
                        f"missing: {', '.join(gone) or 'none'}; more: {', '.join(more) or 'none'}"
                    )
                    yield said(Verdict.FAIL, words, subject, reading)
                else:
                    yield said(Verdict.PASS, words, subject, reading)
        if not asked:
            yield said(Verdict.SKIP, "no InfiniBand port here", place(reading), reading)

    yield from each(facts, sysfs_rdma.parse, judge)


def mounts(facts: Facts) -> Iterator[Answer]:
    """Declared mounts are there, over the declared transport."""
    wanted = facts.expected.mounts

    def judge(reading: Reading[Mapping[str, Mount]]) -> Iterator[Answer]:
        for point, transport in sorted(wanted.items()):
            subject = subjects.node(reading.host, point.strip("/") or "root")
            there = reading.parsed.value.get(point)
            if there is None:
                yield said(Verdict.FAIL, f"nothing is mounted at {point}", subject, reading)
            elif transport in {"", "any"}:
                yield said(Verdict.PASS, f"{there.kind} from {there.source}", subject, reading)
            elif not there.transport:
                words = f"{there.kind} does not tell its transport"
                yield said(Verdict.UNKNOWN, words, subject, reading)
            else:
                words = f"{there.kind} over {there.transport}, {transport} declared"
                verdict = Verdict.PASS if there.transport == transport else Verdict.FAIL
                yield said(verdict, words, subject, reading)
        if not wanted:
            yield said(Verdict.SKIP, "no mounts are declared", place(reading), reading)

    yield from each(facts, proc_mounts.parse, judge)


def aggregation_manager(facts: Facts) -> Iterator[Answer]:
    """One host runs the aggregation manager, or a job got its resources from one."""
    hosts = sound(facts, sharp_manager.parse)
    hellos = [one for one in sound(facts, sharp_hello.parse) if one.parsed.value.passed]
    running = [one for one in hosts if one.parsed.value == "active"]
    if not hosts and not hellos:
        yield from each(facts, sharp_manager.parse, lambda _reading: ())
    elif len(running) > 1:
        names = ", ".join(sorted(one.host for one in running))
        words = f"it runs on {names}: one may be active"
        yield said(Verdict.FAIL, words, subjects.FABRIC, *running)
    elif running:
        yield said(Verdict.PASS, f"it runs on {running[0].host}", subjects.FABRIC, *running)
    elif hellos:
        words = "a job got its resources from one; where it runs is not told"
        yield said(Verdict.PASS, words, subjects.FABRIC, *hellos)
    elif not facts.expected.sharp:
        words = f"it runs on none of {len(hosts)} hosts, and SHARP is not declared"
        yield said(Verdict.SKIP, words, subjects.FABRIC, *hosts)
    else:
        words = f"it runs on none of the {len(hosts)} hosts that were collected"
        yield said(Verdict.UNKNOWN, words, subjects.FABRIC, *hosts)


def vendor_tool(facts: Facts) -> Iterator[Answer]:
    """Stages of ibdiagnet end without errors and warnings."""

    def judge(reading: Reading[Screen]) -> Iterator[Answer]:
        one = reading.parsed.value
        for stage in one.stages:
            subject = f"{subjects.FABRIC}/{stage.name}"
            words = f"{stage.errors} errors, {stage.warnings} warnings"
            verdict = Verdict.WARN if stage.warnings else Verdict.PASS
            yield said(Verdict.FAIL if stage.errors else verdict, words, subject, reading)

    yield from each(facts, ibdiagnet_screen.parse, judge)
