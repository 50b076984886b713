"""MPI between two hosts, as the OSU micro-benchmarks measure it."""

from __future__ import annotations

from collections.abc import Iterator

from sunk.assess.judge import Answer
from sunk.assess.verdict import Verdict
from sunk_fabric import subjects
from sunk_fabric.checks.answers import each, said, sound
from sunk_fabric.checks.pairs import LARGE_BYTES, share_verdict
from sunk_fabric.checks.servers import between_nodes, ways_in_words
from sunk_fabric.expected import bandwidth_ceiling
from sunk_fabric.facts import Facts, Reading
from sunk_fabric.parse import osu, sysfs_rdma, ucx_log
from sunk_fabric.parse.osu import Run

SMALL_BYTES = 8
UNPROVEN = "; nothing proves which way the bytes went: UCX_LOG_LEVEL=info shows it"
SHARED_MEMORY_US = 0.7
"""Less is faster than two adapters and a switch can be. Proposal."""


def bandwidth(facts: Facts) -> Iterator[Answer]:
    """The largest message of osu_bw against the ceiling of rate, MTU and headers."""
    rate, mtu = facts.expected.port_gbit_per_s, facts.expected.rdma_mtu_bytes
    ethernet = _all_ethernet(facts)
    limit = facts.expected.limit("nccl.mpi.bandwidth")

    logs = {one.name: one for one in sound(facts, ucx_log.parse)}

    def judge(reading: Reading[Run]) -> Iterator[Answer]:
        run = reading.parsed.value
        subject = subjects.run(reading.name or reading.path)
        size = max(run.mb_per_s, default=0)
        if run.test != "Bandwidth":
            yield said(Verdict.SKIP, f"{run.test}, not osu_bw", subject, reading)
        elif rate is None:
            yield said(Verdict.UNKNOWN, "the port's rate is not declared", subject, reading)
        elif size < LARGE_BYTES:
            words = f"messages of {size} bytes do not fill the line"
            yield said(Verdict.UNKNOWN, words, subject, reading)
        else:
            ceiling = bandwidth_ceiling(rate, mtu, ethernet=ethernet)
            measured = run.mb_per_s[size] * 8 / 1000
            share = measured / ceiling.gbit_per_s
            words = f"{measured:.1f} Gb/s is {share:.3f} of {ceiling.derivation} Gb/s"
            if share > 1.0:
                words += ": shared memory, several adapters, or another rate"
            verdict, words = share_verdict(share, limit), words + limit.words
            log = logs.get(reading.name)
            ways = between_nodes(log.parsed.value) if log else ()
            proof = (reading, log) if log else (reading,)
            if not ways:
                verdict, words = Verdict.UNKNOWN, words + UNPROVEN
            elif not all(one.rdma for one in ways):
                verdict, words = Verdict.FAIL, f"{words}; it went by {ways_in_words(ways)}"
            yield said(verdict, words, subject, *proof)

    yield from each(facts, osu.parse, judge)


def _all_ethernet(facts: Facts) -> bool:
    layers = {
        port.values.get("link_layer", "")
        for one in sound(facts, sysfs_rdma.parse)
        for device in one.parsed.value.devices
        for port in device.ports
    }
    return layers == {"Ethernet"}


def latency(facts: Facts) -> Iterator[Answer]:
    """The smallest message of osu_latency is as slow as a fabric, and no slower."""
    limit = facts.expected.limit("nccl.mpi.latency")

    def judge(reading: Reading[Run]) -> Iterator[Answer]:
        run = reading.parsed.value
        subject = subjects.run(reading.name or reading.path)
        size = min(run.us, default=SMALL_BYTES + 1)
        if run.test != "Latency":
            yield said(Verdict.SKIP, f"{run.test}, not osu_latency", subject, reading)
        elif size > SMALL_BYTES:
            words = f"no message of {SMALL_BYTES} bytes and less"
            yield said(Verdict.UNKNOWN, words, subject, reading)
        elif run.us[size] < SHARED_MEMORY_US:
            words = f"{run.us[size]:g} us is shared memory and not the fabric: use two hosts"
            yield said(Verdict.UNKNOWN, words, subject, reading)
        elif run.memory:
            words = f"{run.us[size]:g} us between buffers of {run.memory}: no ceiling is known"
            yield said(Verdict.UNKNOWN, words, subject, reading)
        else:
            words = f"{run.us[size]:g} us, {limit.passing:g} allowed{limit.words}"
            verdict = Verdict.WARN if run.us[size] > limit.passing else Verdict.PASS
            if run.us[size] > limit.failing:
                verdict, words = Verdict.FAIL, f"{words}: as slow as sockets"
            yield said(verdict, words, subject, reading)

    yield from each(facts, osu.parse, judge)
