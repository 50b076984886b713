"""RDMA over Ethernet: addresses, MTU, and addresses of Pods."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from sunk.assess.judge import Answer
from sunk.assess.verdict import Verdict
from sunk_fabric import subjects
from sunk_fabric.checks.answers import each, missing, place, said, sound
from sunk_fabric.expected import ROCE_DEVICE_HEADERS_BYTES
from sunk_fabric.facts import Facts, Reading
from sunk_fabric.parse import ibv_devinfo, ip_link, network_status, rdma_link
from sunk_fabric.parse.network_status import Attachment


def gid(facts: Facts) -> Iterator[Answer]:
    """A RoCE v2 entry that is not only link-local."""

    def judge(reading: Reading[tuple[ibv_devinfo.Device, ...]]) -> Iterator[Answer]:
        for device in reading.parsed.value:
            for port in device.ports:
                yield _gid(reading, device, port)
        if not reading.parsed.value:
            yield said(Verdict.UNKNOWN, "no device is told of", place(reading), reading)

    yield from each(facts, ibv_devinfo.parse, judge)


def _gid(
    reading: Reading[tuple[ibv_devinfo.Device, ...]],
    device: ibv_devinfo.Device,
    port: ibv_devinfo.Port,
) -> Answer:
    subject = subjects.node(reading.host, device.name, str(port.number))
    if port.link_layer != "Ethernet":
        return said(Verdict.SKIP, f"the link layer is {port.link_layer}", subject, reading)
    entries = [one for one in port.gids if one.type == "RoCE v2"]
    routable = [one for one in entries if not one.gid.lower().startswith("fe80")]
    if routable:
        words = ", ".join(f"{one.index}: {one.gid}" for one in routable[:3])
        return said(Verdict.PASS, words, subject, reading)
    words = "only link-local RoCE v2 entries" if entries else "no RoCE v2 entry"
    return said(Verdict.FAIL, words, subject, reading)


def mtu(facts: Facts) -> Iterator[Answer]:
    """Network devices that carry the declared RDMA MTU with its headers."""
    wanted = facts.expected.rdma_mtu_bytes + ROCE_DEVICE_HEADERS_BYTES
    links = {one.host: one for one in sound(facts, rdma_link.parse)}
    if facts.of(ip_link.parse) and not links:
        yield missing(rdma_link.parse)
        return

    def judge(reading: Reading[tuple[ip_link.NetDevice, ...]]) -> Iterator[Answer]:
        known = links.get(reading.host)
        if known is None:
            words = missing(rdma_link.parse).found
            yield said(Verdict.UNKNOWN, words, place(reading), reading)
            return
        devices = {one.ifname: one for one in reading.parsed.value}
        for link in known.parsed.value:
            subject = subjects.node(reading.host, link.ifname, str(link.port))
            device = devices.get(link.netdev)
            if not link.netdev:
                yield said(Verdict.SKIP, "no network device", subject, known)
            elif device is None:
                words = f"{link.netdev} is not told of"
                yield said(Verdict.UNKNOWN, words, subject, known, reading)
            elif device.link_type == "infiniband":
                yield said(Verdict.SKIP, "the link layer is InfiniBand", subject, known, reading)
            else:
                words = f"{device.ifname} has MTU {device.mtu} bytes, {wanted} are needed"
                verdict = Verdict.PASS if device.mtu >= wanted else Verdict.FAIL
                yield said(verdict, words, subject, known, reading)

    yield from each(facts, ip_link.parse, judge)


def unique(facts: Facts) -> Iterator[Answer]:
    """No address twice on the additional networks of all Pods."""
    owners: dict[str, list[Reading[tuple[Attachment, ...]]]] = defaultdict(list)

    def gather(reading: Reading[tuple[Attachment, ...]]) -> Iterator[Answer]:
        for one in reading.parsed.value:
            if not one.default:
                for address in one.ips:
                    owners[address].append(reading)
        return iter(())

    yield from each(facts, network_status.parse, gather)
    for address, readings in sorted(owners.items()):
        if len(readings) > 1:
            names = " and ".join(sorted(one.name or one.path for one in readings))
            yield said(Verdict.FAIL, f"{address} is at {names}", "network", *readings)
    every = [one for readings in owners.values() for one in readings]
    if owners and all(len(readings) == 1 for readings in owners.values()):
        yield said(Verdict.PASS, f"{len(owners)} addresses", "network", *every)
