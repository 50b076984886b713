"""Programs that reduce in the network (SHARP): whether they really did, in their own words."""

from __future__ import annotations

from collections.abc import Iterator

from sunk.assess.judge import Answer
from sunk.assess.verdict import Verdict
from sunk_fabric import subjects
from sunk_fabric.active.sharp_sides import OFF, is_side
from sunk_fabric.checks.answers import each, said
from sunk_fabric.checks.collectives import each_log
from sunk_fabric.facts import Facts, Reading
from sunk_fabric.parse import sharp_coll
from sunk_fabric.parse.sharp_lines import SharpLog
from sunk_jobs.networks.nccl_log import NcclLog

BY_NETWORK = "COLLNET/"
"""Begins the transports of channels into the network."""
ALWAYS = frozenset({"float16", "float32", "float64", "int32", "uint32", "int64", "uint64"})
"""Types that every plugin gives to the network; types of NCCL's plugin for SHARP."""
LATER = frozenset({"bfloat16", "int8", "uint8"})
"""Types that newer plugins give to it where the switches can, and warn where they cannot."""
_NO_LATER = "int8,uint8,bfloat16 Datatypes not supported"


def channels(log: NcclLog) -> int:
    """Return how many channels go into the network."""
    return sum(
        count
        for one in log.processes.values()
        for transport, count in one.channels.items()
        if transport.kind.startswith(BY_NETWORK)
    )


def refusals(log: NcclLog) -> tuple[str, ...]:
    """Return why NCCL did without, in its words."""
    return tuple(sorted({words for one in log.processes.values() for words in one.collnet_refused}))


def nccl(facts: Facts) -> Iterator[Answer]:
    """NCCL's reductions really ran in the network, where they were to."""

    def judge(reading: Reading[NcclLog], subject: str) -> Iterator[Answer]:
        log = reading.parsed.value
        used, refused = channels(log), refusals(log)
        wanted = facts.expected.sharp or any(
            one.environment.get("NCCL_COLLNET_ENABLE") == "1" for one in log.processes.values()
        )
        if is_side(reading.name, OFF):
            words = "this run is to do without; sharp.nccl.gain asks whether it did"
            yield said(Verdict.SKIP, words, subject, reading)
        elif not wanted:
            words = "neither declared nor asked for by NCCL_COLLNET_ENABLE"
            yield said(Verdict.SKIP, words, subject, reading)
        elif refused:
            yield said(Verdict.FAIL, refused[0], subject, reading)
        elif not used:
            yield said(Verdict.FAIL, "no channel goes over it", subject, reading)
        else:
            yield said(Verdict.PASS, f"{used} channels", subject, reading)

    yield from each_log(facts, judge)


def mpi(facts: Facts) -> Iterator[Answer]:
    """SHARP's library in an MPI program got trees, and made a group of several hosts."""

    def judge(reading: Reading[SharpLog]) -> Iterator[Answer]:
        log = reading.parsed.value
        subject = subjects.run(reading.name or reading.path)
        several = [one for one in log.groups if one > 1]
        if log.errors:
            words = f"{log.error_count} errors, the first: {log.errors[0]}"
            yield said(Verdict.FAIL, words, subject, reading)
        elif not log.jobs or not log.trees:
            yield said(Verdict.FAIL, "it got no trees of the network", subject, reading)
        elif not several:
            words = (
                f"trees {', '.join(log.trees)}, and no communicator uses them: HCOLL_ENABLE_SHARP,"
                " or fewer hosts than HCOLL_SHARP_NP"
            )
            yield said(Verdict.FAIL, words, subject, reading)
        else:
            words = (
                f"{len(several)} groups of up to {several[0]} hosts, trees {', '.join(log.trees)}"
            )
            yield said(Verdict.PASS, words, subject, reading)

    yield from each(facts, sharp_coll.parse, judge)


def types(facts: Facts) -> Iterator[Answer]:
    """Types that a site reduces are types that its plugin gives to the network."""
    declared = facts.expected.sharp_types

    def judge(reading: Reading[NcclLog], subject: str) -> Iterator[Answer]:
        log = reading.parsed.value
        warned = any(_NO_LATER in words for one in log.processes.values() for words in one.faults)
        if not channels(log):
            words = "no channel goes into the network"
            yield said(Verdict.SKIP, words, subject, reading)
        elif not declared:
            words = "no types are declared, and without them there is nothing to compare"
            yield said(Verdict.UNKNOWN, words, subject, reading)
        else:
            for name in sorted(declared):
                verdict, words = _type(name, warned=warned)
                yield said(verdict, words, f"{subject}/{name}", reading)

    yield from each_log(facts, judge)


def _type(name: str, *, warned: bool) -> tuple[Verdict, str]:
    if name in ALWAYS:
        return Verdict.PASS, "every plugin gives it to the network"
    if name not in LATER:
        return Verdict.WARN, "no plugin gives it to the network: hosts reduce it"
    if warned:
        return Verdict.WARN, "the plugin says that this network cannot: hosts reduce it"
    return Verdict.UNKNOWN, "no warning, as from a plugin that is too old to know the type"
