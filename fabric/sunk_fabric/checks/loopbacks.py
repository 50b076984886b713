"""Runs between two adapters of one host: what the host's side can carry."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from sunk.assess.judge import Answer
from sunk.assess.verdict import Verdict
from sunk_fabric import subjects
from sunk_fabric.checks.answers import each, said, sound
from sunk_fabric.checks.pairs import LARGE_BYTES, largest
from sunk_fabric.checks.pcie import slot_gbit_per_s
from sunk_fabric.expected import bandwidth_ceiling
from sunk_fabric.facts import Facts, Reading
from sunk_fabric.parse import perftest, sysfs_rdma
from sunk_fabric.parse.perftest import End, Run
from sunk_fabric.parse.text import guid


@dataclass(frozen=True, slots=True)
class _Adapter:
    host: str
    device: str
    guid: str


def _addresses(facts: Facts) -> dict[int | str, _Adapter]:
    """Return LID or GID -> adapter; an address that two have, as in two subnets, is nobody's."""
    found: dict[int | str, _Adapter] = {}
    twice: set[int | str] = set()
    for reading in sound(facts, sysfs_rdma.parse):
        for device in reading.parsed.value.devices:
            own = _Adapter(reading.host, device.name, guid(device.values.get("node_guid", "")))
            for port in device.ports:
                addresses: list[int | str] = [_number(port.values.get("lid", ""))]
                addresses += [one.gid for one in port.gids]
                for address in addresses:
                    if address and found.setdefault(address, own) != own:
                        twice.add(address)
    return {address: one for address, one in found.items() if address not in twice}


def _number(text: str) -> int:
    try:
        return int(text, 16)
    except ValueError:
        return 0


def _each_loopback(
    facts: Facts,
    judge: Callable[[Reading[Run], str, _Adapter, _Adapter], Iterable[Answer]],
) -> Iterator[Answer]:
    known = _addresses(facts)

    def adapter(end: End | None) -> _Adapter | None:
        return known.get(end.gid or end.lid) if end else None

    def one(reading: Reading[Run]) -> Iterator[Answer]:
        run = reading.parsed.value
        near, far = adapter(run.local), adapter(run.remote)
        subject = subjects.run(reading.name or reading.path)
        if largest(run) is None:
            yield said(Verdict.SKIP, "a latency test", subject, reading)
        elif near is None or far is None:
            words = "whose adapters its addresses are, no host that was collected tells"
            yield said(Verdict.UNKNOWN, words, subject, reading)
        elif near.host != far.host:
            words = f"between {near.host} and {far.host}"
            yield said(Verdict.SKIP, words, subject, reading)
        elif near.device == far.device:
            words = f"{near.device} with itself: no way of the host is measured"
            yield said(Verdict.SKIP, words, subject, reading)
        else:
            yield from judge(reading, subject, near, far)

    yield from each(facts, perftest.parse, one)


def bandwidth(facts: Facts) -> Iterator[Answer]:
    """The largest message between two adapters of a host, against the ceiling of the line."""
    rate, limit = facts.expected.port_gbit_per_s, facts.expected.limit("rdma.loopback.bandwidth")

    def judge(
        reading: Reading[Run], subject: str, near: _Adapter, far: _Adapter
    ) -> Iterator[Answer]:
        run = reading.parsed.value
        row, mtu = largest(run), run.mtu_bytes
        ends = f"{near.host}: {near.device} to {far.device}"
        if rate is None or mtu is None or row is None or row.size_bytes < LARGE_BYTES:
            words = f"{ends}: the port's rate, the MTU or a message of 1 MiB is not told"
            yield said(Verdict.UNKNOWN, words, subject, reading)
            return
        ethernet = run.settings.get("Link type") == "Ethernet"
        slots = [slot_gbit_per_s(facts, one.host, one.device) for one in (near, far)]
        slot = min((one for one in slots if one is not None), default=None)
        ceiling = bandwidth_ceiling(rate, mtu, ethernet=ethernet, pcie_gbit_per_s=slot)
        share = row.average_gbit_per_s / ceiling.gbit_per_s
        verdict = Verdict.PASS if share >= limit.failing else Verdict.FAIL
        words = f"{ends}: {row.average_gbit_per_s:.1f} Gb/s is {share:.3f} of {ceiling.derivation}"
        words += limit.words
        yield said(Verdict.UNKNOWN if share > 1.0 else verdict, words, subject, reading)

    yield from _each_loopback(facts, judge)


def scope(facts: Facts) -> Iterator[Answer]:
    """The links that it crossed: those to one leaf, or more of the fabric."""
    found = facts.audit

    def judge(
        reading: Reading[Run], subject: str, near: _Adapter, far: _Adapter
    ) -> Iterator[Answer]:
        leaves = [found.placement.leaf_of.get(one.guid, "") for one in (near, far)] if found else []
        if found is None or not all(leaves) or facts.scan is None:
            words = f"the leaves of {near.device} and {far.device} of {near.host} are not known"
            yield said(Verdict.UNKNOWN, words, subject, reading)
            return
        names = [found.fabric.name(one) for one in leaves]
        if names[0] == names[1]:
            words = f"it left the host by {names[0]} alone: its figure is the host's"
            yield said(Verdict.PASS, words, subject, reading, facts.scan)
        else:
            words = f"it went from {names[0]} to {names[1]}: its figure is the fabric's too"
            yield said(Verdict.WARN, words, subject, reading, facts.scan)

    yield from _each_loopback(facts, judge)
