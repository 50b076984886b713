"""RDMA devices and ports: there, up, fast, alike, quiet."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from sunk.assess.judge import Answer
from sunk.assess.verdict import Verdict
from sunk_fabric import subjects
from sunk_fabric.checks.adapters import HostTable, PortRow, silent, tables
from sunk_fabric.checks.answers import each, missing, said, sound
from sunk_fabric.facts import Facts, Reading
from sunk_fabric.parse import ibstat, ibv_devinfo, rdma_system, sysfs_rdma
from sunk_fabric.parse.counters import SYSFS_NAMES, WIDTH_BITS
from sunk_jobs.sysfs_rdma import RdmaPort, Snapshot

NOTED = {"port_xmit_wait", "port_rcv_switch_relay_errors", "VL15_dropped"}
"""Counters whose growth is a WARN: congestion or chatter, no damage."""
_WIDTHS = {SYSFS_NAMES[name]: bits for name, bits in WIDTH_BITS.items() if name in SYSFS_NAMES}


def _every_host(facts: Facts, judge: Callable[[HostTable], Iterable[Answer]]) -> Iterator[Answer]:
    known = tables(facts)
    unsound = list(silent(facts))
    if not known and not unsound:
        yield missing(sysfs_rdma.parse, ibstat.parse)
    for host, reading, wrong in unsound:
        if _says_none(reading):
            words = "ibstat ended well and printed nothing: there is no RDMA device"
            yield said(Verdict.FAIL, words, subjects.node(host), reading)
        else:
            yield said(Verdict.UNKNOWN, wrong, subjects.node(host), reading)
    for table in known.values():
        yield from judge(table)


def _says_none(reading: Reading[Any]) -> bool:
    """Return whether this is how ibstat tells that there is no device."""
    return reading.format == "ibstat" and not reading.parsed.lines and reading.exit_code == 0


def present(facts: Facts) -> Iterator[Answer]:
    """As many devices as declared, or as most hosts have."""
    known = tables(facts)
    usual, why = facts.expected.adapters_per_host, "declared"
    if usual is None and known:
        counted = Counter(len(one.devices) for one in known.values())
        usual, why = max(counted.items(), key=lambda one: (one[1], one[0]))[0], "on most hosts"

    def judge(table: HostTable) -> Iterator[Answer]:
        subject = subjects.node(table.host)
        count = len(table.devices)
        if not count or (usual is not None and count < usual):
            words = f"{count} RDMA devices, {usual} {why}"
            yield said(Verdict.FAIL, words, subject, table.reading)
        else:
            yield said(Verdict.PASS, f"{count} RDMA devices", subject, table.reading)

    yield from _every_host(facts, judge)


def state(facts: Facts) -> Iterator[Answer]:
    """Active and LinkUp."""

    def judge(table: HostTable) -> Iterator[Answer]:
        for row in table.ports:
            words = f"{row.state or 'no state'}, {row.physical or 'no physical state'}"
            if not row.state:
                verdict = Verdict.UNKNOWN
            elif row.state == "active" and row.physical in {"linkup", ""}:
                verdict = Verdict.PASS
            else:
                verdict = Verdict.FAIL
            yield said(verdict, words, row.subject, row.reading, remedy=_way_up(row, verdict))
        if not table.ports:
            subject = subjects.node(table.host)
            yield said(Verdict.UNKNOWN, "no port is told of", subject, table.reading)

    yield from _every_host(facts, judge)


def _way_up(row: PortRow, verdict: Verdict) -> str:
    if verdict is not Verdict.FAIL:
        return ""
    if row.state in {"initializing", "armed"}:
        return "the link is up and waits for a subnet manager: see ib.sm.master"
    if row.physical == "disabled":
        return f"somebody disabled it; ibportstate enables port {row.number} of {row.device}"
    return f"look at the cable of {row.device} on {row.host}, and at its peer"


def rate(facts: Facts) -> Iterator[Answer]:
    """The declared rate, or that of most ports."""
    known = tables(facts)
    wanted, why = facts.expected.port_gbit_per_s, "declared"
    if wanted is None:
        rates = [row.rate_gbit_per_s for one in known.values() for row in one.ports]
        counted = Counter(one for one in rates if one is not None)
        if counted:
            wanted = max(counted.items(), key=lambda one: (one[1], one[0]))[0]
            why = "most ports have"

    def judge(table: HostTable) -> Iterator[Answer]:
        for row in table.ports:
            if row.rate_gbit_per_s is None or wanted is None:
                yield said(Verdict.UNKNOWN, "no rate is told", row.subject, row.reading)
                continue
            slow = row.rate_gbit_per_s < wanted
            words = f"{row.rate_gbit_per_s:g} Gb/s, {wanted:g} {why}"
            verdict = Verdict.FAIL if slow else Verdict.PASS
            yield said(verdict, words, row.subject, row.reading)

    yield from _every_host(facts, judge)


def uniform(facts: Facts) -> Iterator[Answer]:
    """Every host has the same set of rates."""
    known = tables(facts)
    sets = {
        host: tuple(sorted(str(row.rate_gbit_per_s) for row in one.ports))
        for host, one in known.items()
    }
    usual = max(Counter(sets.values()).items(), key=lambda one: (one[1], one[0]), default=((), 0))

    def judge(table: HostTable) -> Iterator[Answer]:
        subject = subjects.node(table.host)
        if len(known) < 2:
            words = "one host: nothing to compare with"
            yield said(Verdict.SKIP, words, subject, table.reading)
        elif sets[table.host] == usual[0]:
            words = f"{len(table.ports)} ports as on {usual[1]} hosts"
            yield said(Verdict.PASS, words, subject, table.reading)
        else:
            own = " ".join(sets[table.host]) or "none"
            words = f"ports of {own} Gb/s; {usual[1]} hosts have {' '.join(usual[0]) or 'none'}"
            yield said(Verdict.FAIL, words, subject, table.reading)

    yield from _every_host(facts, judge)


def mtu(facts: Facts) -> Iterator[Answer]:
    """The declared RDMA MTU."""
    wanted = facts.expected.rdma_mtu_bytes

    def judge(reading: Reading[tuple[ibv_devinfo.Device, ...]]) -> Iterator[Answer]:
        for device in reading.parsed.value:
            for port in device.ports:
                subject = subjects.node(reading.host, device.name, str(port.number))
                words = f"active MTU {port.active_mtu_bytes} bytes, {wanted} declared"
                small = port.active_mtu_bytes < wanted
                bad = Verdict.FAIL if port.link_layer == "Ethernet" else Verdict.WARN
                yield said(bad if small else Verdict.PASS, words, subject, reading)
        if not reading.parsed.value:
            subject = subjects.node(reading.host)
            yield said(Verdict.UNKNOWN, "no device is told of", subject, reading)

    yield from each(facts, ibv_devinfo.parse, judge)


def firmware(facts: Facts) -> Iterator[Answer]:
    """One version for every board."""
    versions: dict[str, dict[str, list[Reading[Snapshot]]]] = defaultdict(lambda: defaultdict(list))

    def gather(reading: Reading[Snapshot]) -> Iterator[Answer]:
        for device in reading.parsed.value.devices:
            board = device.values.get("board_id", "")
            version = device.values.get("fw_ver", "")
            if board and version and not device.is_vf:
                versions[board][version].append(reading)
        return iter(())

    yield from each(facts, sysfs_rdma.parse, gather)
    for board, found in sorted(versions.items()):
        readings = [one for many in found.values() for one in many]
        counted = ", ".join(f"{name} on {len(many)}" for name, many in sorted(found.items()))
        verdict = Verdict.WARN if len(found) > 1 else Verdict.PASS
        subject = f"firmware/{board.replace('/', '_')}"
        yield said(verdict, f"firmware {counted} cards", subject, *readings)


def netns(facts: Facts) -> Iterator[Answer]:
    """The declared mode of RDMA in namespaces."""
    wanted = facts.expected.rdma_netns

    def judge(reading: Reading[tuple[rdma_system.RdmaSystem, ...]]) -> Iterator[Answer]:
        subject = subjects.node(reading.host)
        modes = {one.netns for one in reading.parsed.value}
        if wanted is None or len(modes) != 1:
            words = "no mode is declared" if wanted is None else "no mode is told"
            yield said(Verdict.UNKNOWN, words, subject, reading)
        else:
            (mode,) = modes
            verdict = Verdict.PASS if mode == wanted else Verdict.FAIL
            yield said(verdict, f"netns {mode}, {wanted} declared", subject, reading)

    yield from each(facts, rdma_system.parse, judge)


def counters(facts: Facts) -> Iterator[Answer]:
    """Growth between the first and the last reading of each host."""
    by_host: dict[str, list[Reading[Snapshot]]] = defaultdict(list)
    for one in sound(facts, sysfs_rdma.parse):
        by_host[one.host].append(one)
    yield from each(facts, sysfs_rdma.parse, lambda _reading: ())
    for host, readings in sorted(by_host.items()):
        dated = sorted((one for one in readings if one.at), key=lambda one: one.at)
        if len({one.at for one in dated}) < 2:
            words = "one reading, or none with its time: growth needs two"
            yield said(Verdict.UNKNOWN, words, subjects.node(host), *readings)
            continue
        yield from _growth(dated[0], dated[-1])


def _growth(first: Reading[Snapshot], last: Reading[Snapshot]) -> Iterator[Answer]:
    before = _ports(first.parsed.value)
    after = _ports(last.parsed.value)
    for (device, number), port in sorted(after.items()):
        subject = subjects.node(last.host, device, str(number))
        old = before.get((device, number))
        watched = {name: value for name, value in port.counters.items() if name in _WIDTHS}
        if old is None or not watched:
            why = "the port was not there before" if old is None else "the kernel has no counters"
            yield said(Verdict.UNKNOWN, why, subject, first, last)
            continue
        verdict, words = _judged(old.counters, watched)
        yield said(verdict, f"{words} from {first.at} to {last.at}", subject, first, last)


def _ports(snapshot: Snapshot) -> dict[tuple[str, int], RdmaPort]:
    return {
        (device.name, port.number): port
        for device in snapshot.devices
        if not device.is_vf
        for port in device.ports
    }


def _judged(old: dict[str, int], new: dict[str, int]) -> tuple[Verdict, str]:
    grown = {name: value - old.get(name, 0) for name, value in new.items()}
    damage = {name: by for name, by in grown.items() if by > 0 and name not in NOTED}
    chatter = {name: by for name, by in grown.items() if by > 0 and name in NOTED}
    stuck = sorted(name for name, value in new.items() if value >= 2 ** _WIDTHS[name] - 1)
    back = sorted(name for name, by in grown.items() if by < 0)
    if damage:
        return Verdict.FAIL, _list(damage)
    if back:
        return Verdict.UNKNOWN, f"{', '.join(back)} went down: somebody cleared them"
    if stuck:
        return Verdict.UNKNOWN, f"{', '.join(stuck)} stood at the maximum and counted no more"
    if chatter:
        return Verdict.WARN, _list(chatter)
    return Verdict.PASS, f"{len(new)} counters stood still"


def _list(grown: dict[str, int]) -> str:
    return ", ".join(f"{name} +{by}" for name, by in sorted(grown.items()))
