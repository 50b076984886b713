"""The PCIe path of adapters."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from sunk.assess.judge import Answer
from sunk.assess.verdict import Verdict
from sunk_fabric import subjects
from sunk_fabric.checks.answers import each, missing, place, said, sound
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
            yield _path(reading, device)
        if not devices:
            yield said(Verdict.UNKNOWN, "no RDMA device is told of", place(reading), reading)

    yield from each(facts, sysfs_rdma.parse, judge)


def _path(reading: Reading[Snapshot], device: RdmaDevice) -> Answer:
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
    return said(Verdict.PASS, f"{first}, {len(device.pci)} links", subject, reading)


def _link(function: PciFunction, which: str) -> PciLink | None:
    speed = re.match(r"(\d{1,3}(?:\.\d)?) GT/s", function.values.get(f"{which}_link_speed", ""))
    width = re.fullmatch(r"x?(\d{1,2})", function.values.get(f"{which}_link_width", ""))
    # An unknown width is written as 255 or 0.
    if speed is None or width is None or not 0 < int(width[1]) <= 32:
        return None
    return PciLink(float(speed[1]), int(width[1]))


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
