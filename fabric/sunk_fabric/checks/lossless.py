"""RDMA over Ethernet without loss: classes, flow control, congestion control."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeVar

from sunk.assess.judge import Answer
from sunk.assess.verdict import Verdict
from sunk_fabric import subjects
from sunk_fabric.checks.answers import each, each_named, place, said, sound
from sunk_fabric.facts import Facts, Parser, Reading
from sunk_fabric.parse import ethtool, kernel_files, mlnx_qos, nccl_log, sysfs_rdma
from sunk_fabric.parse.dmesg import moment
from sunk_fabric.parse.mlnx_qos import Quality
from sunk_jobs.networks.nccl_log import NcclLog, Process
from sunk_jobs.sysfs_rdma import RdmaDevice, Snapshot

T = TypeVar("T")
Judged = tuple[Verdict, str]
_TOS = re.compile(r"kernel/config/rdma_cm/([\w.-]+)/ports/(\d+)/default_roce_tos")
_ECN = re.compile(r"class/net/([\w.@-]+)/ecn/roce_(np|rp)/enable/(\d)")
_PAUSE = re.compile(r"[rt]x_prio\d_pause(?:_duration)?")
_DISCARDS = re.compile(r"rx_prio\d_(?:buf_)?discards?|rx_discards_phy")
_DURATION = re.compile(r"rx_prio\d_pause_duration")
PAUSED_SHARE = 0.01
MICROSECONDS = 1_000_000
MOST_DIGITS = 5
NO_VARIABLES = "no variable is told of; NCCL_DEBUG_SUBSYS with ENV shows them"
NO_PRIORITY, NO_DSCP = "no lossless priority is declared", "no DSCP of RDMA is declared"


def _qualities(facts: Facts, judged: Callable[[Quality], Judged]) -> Iterator[Answer]:
    yield from each_named(facts, mlnx_qos.parse, judged, "no adapter has a network device")


def trust(facts: Facts) -> Iterator[Answer]:
    """DSCP is what adapters go by."""
    yield from _qualities(
        facts,
        lambda one: (
            Verdict.PASS if one.trust == "dscp" else Verdict.FAIL,
            f"{one.trust} is trusted",
        ),
    )


def pfc(facts: Facts) -> Iterator[Answer]:
    """Flow control on the lossless priority and on no other."""
    wanted = facts.expected.lossless_priority

    def judged(one: Quality) -> Judged:
        words = f"flow control on {', '.join(map(str, one.paused or ())) or 'no priority'}"
        if wanted is None:
            return Verdict.UNKNOWN, f"{words}; {NO_PRIORITY}"
        good = one.paused == (wanted,)
        return Verdict.PASS if good else Verdict.FAIL, f"{words}, {wanted} declared"

    yield from _qualities(facts, judged)


def mapping(facts: Facts) -> Iterator[Answer]:
    """The DSCP of RDMA is in the lossless priority."""
    priority, dscp = facts.expected.lossless_priority, facts.expected.roce_dscp

    def judged(one: Quality) -> Judged:
        if priority is None or dscp is None:
            return Verdict.UNKNOWN, NO_PRIORITY if priority is None else NO_DSCP
        there = one.priorities.get(dscp)
        if there is None:
            return Verdict.UNKNOWN, f"where DSCP {dscp} goes is not told"
        words = f"DSCP {dscp} goes to priority {there}, {priority} declared"
        return Verdict.PASS if there == priority else Verdict.FAIL, words

    yield from _qualities(facts, judged)


def ecn(facts: Facts) -> Iterator[Answer]:
    """Both points of congestion control are on for the lossless priority."""
    wanted = facts.expected.lossless_priority

    def judge(reading: Reading[Mapping[str, tuple[str, ...]]]) -> Iterator[Answer]:
        devices: dict[str, dict[str, str]] = {}
        for path, lines in reading.parsed.value.items():
            found = _ECN.fullmatch(path)
            if found and (wanted is None or int(found[3]) == wanted):
                devices.setdefault(found[1], {})[found[2]] = lines[0]
        for name, points in sorted(devices.items()):
            subject = subjects.node(reading.host, name)
            off = [one for one in ("np", "rp") if points.get(one) == "0"]
            gone = [one for one in ("np", "rp") if one not in points]
            if wanted is None or gone:
                words = NO_PRIORITY if wanted is None else f"roce_{gone[0]} is not told"
                yield said(Verdict.UNKNOWN, words, subject, reading)
            else:
                words = f"roce_{' and roce_'.join(off)} is off" if off else "both points are on"
                verdict = Verdict.FAIL if off else Verdict.PASS
                yield said(verdict, f"{words} for priority {wanted}", subject, reading)
        if not devices:
            words = "no network device tells of congestion control"
            yield said(Verdict.UNKNOWN, words, place(reading), reading)

    yield from each(facts, kernel_files.parse, judge)


def tclass(facts: Facts) -> Iterator[Answer]:
    """What jobs set, and what the kernel gives connections, is the declared DSCP."""
    dscp = facts.expected.roce_dscp

    def of_host(reading: Reading[Mapping[str, tuple[str, ...]]]) -> Iterator[Answer]:
        found = [(_TOS.fullmatch(path), one) for path, one in reading.parsed.value.items()]
        for match, lines in found:
            if match:
                subject = subjects.node(reading.host, match[1], match[2])
                yield said(*_marked(dscp, lines[0], "default_roce_tos"), subject, reading)
        if not any(match for match, _ in found):
            words = "default_roce_tos is not told"
            yield said(Verdict.UNKNOWN, words, place(reading), reading)

    yield from each(facts, kernel_files.parse, of_host)
    for log in sound(facts, nccl_log.parse):
        for name, process in sorted(log.parsed.value.processes.items()):
            yield said(*_job_marked(dscp, process), subjects.run(name), log)


def _job_marked(dscp: int | None, process: Process) -> Judged:
    if not any(one.layer == "RoCE" for one in process.hcas):
        return Verdict.SKIP, "no adapter with RoCE"
    if not process.environment:
        return Verdict.UNKNOWN, NO_VARIABLES
    return _marked(dscp, process.environment.get("NCCL_IB_TC", "0"), "NCCL_IB_TC")


def _marked(dscp: int | None, tos: str, what: str) -> Judged:
    if dscp is None:
        return Verdict.UNKNOWN, NO_DSCP
    if not (tos.isascii() and tos.isdecimal() and len(tos) < MOST_DIGITS):
        return Verdict.UNKNOWN, f"{what} is {tos or 'empty'}"
    words = f"{what} {tos} is DSCP {int(tos) // 4}, {dscp} declared"
    return Verdict.PASS if int(tos) // 4 == dscp else Verdict.FAIL, words


def gid_index(facts: Facts) -> Iterator[Answer]:
    """No process has a fixed GID index."""

    def judge(reading: Reading[NcclLog]) -> Iterator[Answer]:
        for name, process in sorted(reading.parsed.value.processes.items()):
            index = process.environment.get("NCCL_IB_GID_INDEX")
            subject = subjects.run(name)
            if not any(one.layer == "RoCE" for one in process.hcas):
                yield said(Verdict.SKIP, "no adapter with RoCE", subject, reading)
            elif not process.environment:
                yield said(Verdict.UNKNOWN, NO_VARIABLES, subject, reading)
            elif index is None:
                yield said(Verdict.PASS, "NCCL chooses the GID itself", subject, reading)
            else:
                yield said(*_fit(facts, name, index), subject, reading)

    yield from each(facts, nccl_log.parse, judge)


def _fit(facts: Facts, process: str, index: str) -> Judged:
    host = process.partition(":")[0]
    for view in (one.parsed.value for one in sound(facts, sysfs_rdma.parse) if one.host == host):
        for device in _ethernet(view):
            fit = [
                str(one.index)
                for port in device.ports
                for one in port.gids
                if one.type == "RoCE v2" and not one.gid.lower().startswith("fe80")
            ]
            if index not in fit:
                words = f"NCCL_IB_GID_INDEX {index} is no routable RoCE v2 entry of {device.name}"
                return Verdict.FAIL, f"{words}: those are {', '.join(fit) or 'none'}"
    return Verdict.WARN, f"NCCL_IB_GID_INDEX {index} is set"


def table_space(facts: Facts) -> Iterator[Answer]:
    """Each virtual function has a GID."""

    def judge(reading: Reading[Snapshot]) -> Iterator[Answer]:
        functions = [one for one in _ethernet(reading.parsed.value) if one.is_vf]
        for device in functions:
            count = sum(len(port.gids) for port in device.ports)
            verdict = Verdict.PASS if count else Verdict.FAIL
            subject = subjects.node(reading.host, device.name)
            yield said(verdict, f"{count} entries", subject, reading)
        if not functions:
            words = "no virtual function with Ethernet here"
            yield said(Verdict.SKIP, words, place(reading), reading)

    yield from each(facts, sysfs_rdma.parse, judge)


def _ethernet(view: Snapshot) -> list[RdmaDevice]:
    return [
        one
        for one in view.devices
        if any(port.values.get("link_layer") == "Ethernet" for port in one.ports)
    ]


def windows(facts: Facts, parser: Parser[T]) -> Iterator[tuple[Reading[T], Reading[T]]]:
    """Yield the first and last sound reading of each host; the same one where there is no other."""
    by_host: dict[str, list[Reading[T]]] = {}
    for one in sound(facts, parser):
        by_host.setdefault(one.host, []).append(one)
    for _, readings in sorted(by_host.items()):
        dated = sorted((one for one in readings if one.at), key=lambda one: one.at)
        yield (dated[0], dated[-1]) if dated else (readings[0], readings[0])


def pause(facts: Facts) -> Iterator[Answer]:
    """No discards, and little pausing, between two readings; a first zero says as much."""
    yield from each(facts, ethtool.parse, lambda _reading: ())
    for first, last in windows(facts, ethtool.parse):
        for name, counters in sorted(last.parsed.value.items()):
            before = first.parsed.value.get(name)
            since_boot = first is last or before is None
            old = {} if since_boot else before or {}
            grown = {key: value - old.get(key, 0) for key, value in counters.items()}
            verdict, words = _paused(grown, since_boot, first.at, last.at)
            yield said(verdict, words, subjects.node(last.host, name), first, last)
        if not last.parsed.value:
            yield said(Verdict.SKIP, "no adapter has a network device", place(last), last)


def _paused(
    grown: Mapping[str, int],
    since_boot: bool,  # noqa: FBT001 - which of two rules holds
    began: str,
    ended: str,
) -> Judged:
    discards = {key: by for key, by in grown.items() if _DISCARDS.fullmatch(key)}
    pauses = {key: by for key, by in grown.items() if _PAUSE.fullmatch(key)}
    if not discards and not pauses:
        return Verdict.UNKNOWN, "the driver counts neither discards nor pauses"
    watched = {**discards, **pauses}
    moved = ", ".join(f"{key} +{by}" for key, by in sorted(watched.items()) if by)
    if any(by < 0 for by in watched.values()):
        return Verdict.UNKNOWN, f"a counter went down: {moved}"
    if not moved:
        return Verdict.PASS, f"{len(watched)} counters stand still"
    if since_boot:
        return Verdict.UNKNOWN, f"{moved} since the start; growth needs two readings"
    if any(discards.values()):
        return Verdict.FAIL, moved
    return _share(pauses, began, ended, moved)


def _share(pauses: Mapping[str, int], began: str, ended: str, moved: str) -> Judged:
    start, end = moment(began), moment(ended)
    longest = max((by for key, by in pauses.items() if _DURATION.fullmatch(key)), default=None)
    if start is None or end is None or end <= start or longest is None:
        return Verdict.WARN, f"{moved}; for how long is not told"
    share = longest / MICROSECONDS / (end - start)
    verdict = Verdict.WARN if share > PAUSED_SHARE else Verdict.PASS
    return verdict, f"paused {share:.2%} of the time"


def loop(facts: Facts) -> Iterator[Answer]:
    """Marked packets are answered by notifications."""
    yield from each(facts, sysfs_rdma.parse, lambda _reading: ())
    for first, last in windows(facts, sysfs_rdma.parse):
        devices = _ethernet(last.parsed.value)
        for device in devices:
            old = next((o for o in first.parsed.value.devices if o.name == device.name), None)
            answer = _closed(device, None if first is last else old)
            yield said(*answer, subjects.node(last.host, device.name), first, last)
        if not devices:
            yield said(Verdict.SKIP, "no device with Ethernet here", place(last), last)


def _closed(device: RdmaDevice, old: RdmaDevice | None) -> Judged:
    def total(one: RdmaDevice | None, name: str) -> int | None:
        told = (
            [port.hw_counters[name] for port in one.ports if name in port.hw_counters]
            if one
            else []
        )
        return sum(told) if told else None

    marked, sent = (
        _growth(total(device, name), total(old, name))
        for name in ("np_ecn_marked_roce_packets", "np_cnp_sent")
    )
    if old is None or marked is None or sent is None:
        return Verdict.UNKNOWN, "marks and notifications of two readings are needed"
    words = f"{marked} packets marked, {sent} notifications sent"
    if marked < 0 or sent < 0:
        return Verdict.UNKNOWN, f"a counter went down: {words}"
    if not marked:
        return Verdict.UNKNOWN, "no packet was marked: nothing tried the loop"
    return Verdict.PASS if sent else Verdict.FAIL, words


def _growth(new: int | None, old: int | None) -> int | None:
    return None if new is None or old is None else new - old


def neighbour(facts: Facts) -> Iterator[Answer]:
    """The kernel answers for an address only where it is."""
    wanted = {"arp_ignore": {"1", "2"}, "arp_announce": {"2"}}
    seen = {one.host: one for one in sound(facts, sysfs_rdma.parse)}

    def judge(reading: Reading[Mapping[str, tuple[str, ...]]]) -> Iterator[Answer]:
        known = seen.get(reading.host)
        if known is not None and (count := _on_ethernet(known.parsed.value)) < 2:
            words = "no RDMA device is on Ethernet" if not count else "one alone is on Ethernet"
            yield said(Verdict.SKIP, words, place(reading), reading, known)
            return
        folder = "/proc/sys/net/ipv4/conf/all"
        told = {one: _first(reading.parsed.value, f"{folder}/{one}") for one in wanted}
        words = ", ".join(f"{name} {value or 'not told'}" for name, value in told.items())
        loose = [name for name, good in wanted.items() if told[name] not in good]
        verdict = Verdict.WARN if loose else Verdict.PASS
        if any(not one for one in told.values()):
            verdict = Verdict.UNKNOWN
        yield said(verdict, words, place(reading), reading)

    yield from each(facts, kernel_files.parse, judge)


def _on_ethernet(snapshot: Snapshot) -> int:
    """Return how many devices of a host, functions of Pods left out, have a port on Ethernet."""
    return sum(
        1
        for one in snapshot.devices
        if not one.is_vf and any(port.values.get("link_layer") == "Ethernet" for port in one.ports)
    )


def _first(files: Mapping[str, Iterable[str]], path: str) -> str:
    return next(iter(files.get(path, ())), "")
