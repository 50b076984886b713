"""The PCIe path of adapters."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from sunk.assess.judge import Answer
from sunk.assess.verdict import Verdict
from sunk_fabric import subjects
from sunk_fabric.checks.answers import each, missing, place, said, sound
from sunk_fabric.expected import PCIE_SHARE, pcie_gbit_per_s
from sunk_fabric.facts import Facts, Reading
from sunk_fabric.parse import lspci, sysfs_rdma
from sunk_fabric.parse.lspci import PciDevice, PciLink
from sunk_jobs.sysfs_rdma import PciFunction, RdmaDevice, Snapshot

LARGE_READ_BYTES = 4096
ADAPTERS = frozenset({"Infiniband controller", "Ethernet controller"})
VENDOR = "Mellanox"


def link(facts: Facts) -> Iterator[Answer]:
    """Every link from adapter to root at the smaller of both ends' best."""

    def judge(reading: Reading[Snapshot]) -> Iterator[Answer]:
        devices = [one for one in reading.parsed.value.devices if not one.is_vf]
        for device in devices:
            yield _path(reading, device, facts.expected.port_gbit_per_s)
        if not devices:
            yield said(Verdict.UNKNOWN, "no RDMA device is told of", place(reading), reading)

    yield from each(facts, sysfs_rdma.parse, judge)


def _path(reading: Reading[Snapshot], device: RdmaDevice, declared: float | None) -> Answer:
    subject = subjects.node(reading.host, device.name)
    if not device.pci:
        return said(Verdict.SKIP, "no PCI device: it is made in software", subject, reading)
    words = []
    for child, parent in zip(device.pci, [*device.pci[1:], None], strict=True):
        current, best = _link(child, "current"), _link(child, "max")
        above = _link(parent, "max") if parent else best
        if current is None or best is None or above is None:
            words.append((Verdict.UNKNOWN, f"{child.address} does not tell its link"))
            continue
        speed = min(best.speed_gt_per_s, above.speed_gt_per_s)
        width = min(best.width, above.width)
        if current.speed_gt_per_s < speed or current.width < width:
            ends = f"{child.address} and {parent.address}" if parent else child.address
            can = PciLink(speed, width)
            words.append((Verdict.FAIL, f"between {ends}: {current}, both could {can}"))
    for verdict in (Verdict.FAIL, Verdict.UNKNOWN):
        found = [text for one, text in words if one is verdict]
        if found:
            return said(verdict, "; ".join(found), subject, reading)
    first = _link(device.pci[0], "current")
    told = f"{first}, {len(device.pci)} links"
    slot, rate = _slot(device.pci), declared or _rate(device)
    if slot is not None and rate is not None and slot * PCIE_SHARE < rate:
        told += f": {slot * PCIE_SHARE:.0f} Gb/s at best, and the port has {rate:g}"
        return said(Verdict.WARN, told, subject, reading)
    return said(Verdict.PASS, told, subject, reading)


def _rate(device: RdmaDevice) -> float | None:
    """Return the rate of a device's fastest port; nothing when none tells."""
    texts = (one.values.get("rate", "") for one in device.ports)
    found = (re.match(r"(\d{1,4}(?:\.\d)?) Gb/sec", one) for one in texts)
    return max((float(one[1]) for one in found if one), default=None)


def _link(function: PciFunction, which: str) -> PciLink | None:
    speed = re.match(r"(\d{1,3}(?:\.\d)?) GT/s", function.values.get(f"{which}_link_speed", ""))
    width = re.fullmatch(r"x?(\d{1,2})", function.values.get(f"{which}_link_width", ""))
    # An unknown width is written as 255 or 0.
    if speed is None or width is None or not 0 < int(width[1]) <= 32:
        return None
    return PciLink(float(speed[1]), int(width[1]))


def slot_gbit_per_s(facts: Facts, host: str, device: str) -> float | None:
    """Return what the way from an adapter to the root can carry at its best, before headers.

    Nothing where a link on it does not tell, or nobody collected the host.
    """
    snapshots = (one for one in sound(facts, sysfs_rdma.parse) if one.host == host)
    found = (one for each in snapshots for one in each.parsed.value.devices if one.name == device)
    return _slot(next((one.pci for one in found), []))


def _slot(path: list[PciFunction]) -> float | None:
    rates = []
    for at, child in enumerate(path):
        parent = path[at + 1] if at + 1 < len(path) else None
        best = _link(child, "max")
        above = _link(parent, "max") if parent else best
        if best is None or above is None:
            return None
        speed = min(best.speed_gt_per_s, above.speed_gt_per_s)
        rates.append(pcie_gbit_per_s(speed, min(best.width, above.width)))
    known = [one for one in rates if one is not None]
    return min(known) if known and len(known) == len(rates) else None


def access_control(facts: Facts) -> Iterator[Answer]:
    """No source validation at the bridges above adapters."""
    paths = {one.host: one.parsed.value for one in sound(facts, sysfs_rdma.parse)}

    def judge(reading: Reading[tuple[PciDevice, ...]]) -> Iterator[Answer]:
        known = {one.address: one for one in reading.parsed.value}
        snapshot = paths.get(reading.host)
        if snapshot is None:
            yield said(Verdict.UNKNOWN, missing(sysfs_rdma.parse).found, place(reading), reading)
            return
        for device in snapshot.devices:
            if not device.is_vf and device.pci:
                yield _bridges(reading, device, known)

    yield from each(facts, lspci.parse, judge)


def _bridges(
    reading: Reading[tuple[PciDevice, ...]], device: RdmaDevice, known: Mapping[str, PciDevice]
) -> Answer:
    subject = subjects.node(reading.host, device.name)
    bridges = [one.address for one in device.pci[1:]]
    unseen = [one for one in bridges if one not in known or known[one].denied]
    on = [one for one in bridges if one in known and known[one].access_control]
    if on:
        return said(Verdict.FAIL, f"source validation is on at {', '.join(on)}", subject, reading)
    if unseen:
        words = f"{', '.join(unseen)} is not told of, or only root may read it"
        return said(Verdict.UNKNOWN, words, subject, reading)
    return said(Verdict.PASS, f"off at {len(bridges)} bridges", subject, reading)


def _adapters(facts: Facts, answer: str, good: str, bad: str) -> Iterator[Answer]:
    def judge(reading: Reading[tuple[PciDevice, ...]]) -> Iterator[Answer]:
        found = [one for one in reading.parsed.value if one.kind in ADAPTERS and VENDOR in one.name]
        for one in found:
            subject = subjects.node(reading.host, one.address)
            value = _SETTINGS[answer](one)
            if value is None:
                words = "not told: run lspci as root" if one.denied else "not told"
                yield said(Verdict.UNKNOWN, words, subject, reading)
            else:
                words = good if value else bad
                yield said(Verdict.PASS if value else Verdict.WARN, words, subject, reading)
        if not found:
            yield said(Verdict.UNKNOWN, "no RDMA adapter is told of", place(reading), reading)

    yield from each(facts, lspci.parse, judge)


def relaxed_ordering(facts: Facts) -> Iterator[Answer]:
    """Relaxed ordering at every adapter."""
    yield from _adapters(facts, "ordering", "relaxed ordering is on", "relaxed ordering is off")


def read_request(facts: Facts) -> Iterator[Answer]:
    """Large read requests at every adapter."""
    size = LARGE_READ_BYTES
    yield from _adapters(facts, "reads", f"{size} bytes or more", f"less than {size} bytes")


def _large(one: PciDevice) -> bool | None:
    size = one.max_read_request_bytes
    return None if size is None else size >= LARGE_READ_BYTES


_SETTINGS = {"ordering": lambda one: one.relaxed_ordering, "reads": _large}
