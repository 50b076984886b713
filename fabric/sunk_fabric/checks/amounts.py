"""What Kubernetes counts, beside what is there."""

from __future__ import annotations

from collections.abc import Iterator

from sunk.assess.judge import Answer
from sunk.assess.verdict import Verdict
from sunk_fabric import subjects
from sunk_fabric.checks.answers import each, lacking, latest, place, said, sound
from sunk_fabric.facts import Facts, Reading
from sunk_fabric.parse import lspci, nodes, resource_slices, sriov_state, sysfs_rdma
from sunk_fabric.parse.nodes import Node
from sunk_fabric.parse.resource_slices import OfferedDevice
from sunk_fabric.parse.sriov_state import NodeState
from sunk_jobs.sysfs_rdma import RdmaDevice, Snapshot

GPU = "nvidia.com/gpu"
GPU_KINDS = frozenset({"3D controller", "VGA compatible controller"})
GPU_VENDOR = "NVIDIA"
ADDRESS = ("pciAddress", "pciBusID", "pciBusId")
"""Names that drivers give the attribute with the device's PCI address."""


def advertised(facts: Facts) -> Iterator[Answer]:
    """Each Node offers as many functions of a resource as there are."""
    wanted = (sriov_state.parse, nodes.parse)
    if lacks := lacking(facts, *wanted):
        yield from lacks
        return
    readings = [latest(facts, one) for one in wanted]
    states: tuple[NodeState, ...] = readings[0].parsed.value
    found: dict[str, Node] = {one.metadata.name: one for one in readings[1].parsed.value}
    asked = 0
    for state in states:
        for resource, count in sorted(_functions(state).items()):
            asked += 1
            subject = subjects.node(state.metadata.name, resource)
            node = found.get(state.metadata.name)
            if node is None:
                words = "Kubernetes tells of no such Node"
                yield said(Verdict.UNKNOWN, words, subject, *readings)
            else:
                yield said(*_offered(node, resource, count), subject, *readings)
    if not asked:
        yield said(Verdict.SKIP, "no policy asks for functions", subjects.FABRIC, *readings)


def _functions(state: NodeState) -> dict[str, int]:
    """Return resource -> functions that are there."""
    found = {one.pci_address: one.vfs for one in state.status.interfaces}
    counts: dict[str, int] = {}
    for card in state.spec.interfaces:
        for group in card.vf_groups:
            there = [one for one in found.get(card.pci_address, ()) if group.has(one.vf_id)]
            counts[group.resource_name] = counts.get(group.resource_name, 0) + len(there)
    return counts


def _offered(node: Node, resource: str, count: int) -> tuple[Verdict, str]:
    amounts = nodes.devices(node.status.capacity, resource)
    offered = sum(amounts.values())
    words = f"{offered} offered, {count} functions are there"
    if offered == count and count:
        return Verdict.PASS, words
    if offered > count:
        return Verdict.WARN, f"{words}: the device plugin is stale"
    return Verdict.FAIL, words


def health(facts: Facts) -> Iterator[Answer]:
    """All devices of a Node's capacity can be had."""

    def judge(reading: Reading[tuple[Node, ...]]) -> Iterator[Answer]:
        for node in reading.parsed.value:
            subject = subjects.node(node.metadata.name)
            names = sorted(
                name
                for name, amount in node.status.capacity.items()
                if "/" in name and amount.isdecimal() and amount != "0"
            )
            less = []
            for name in names:
                usable = node.status.allocatable.get(name, "0")
                if not usable.isdecimal() or int(usable) < int(node.status.capacity[name]):
                    less.append(f"{name}: {usable} of {node.status.capacity[name]}")
            if less:
                yield said(Verdict.FAIL, ", ".join(less), subject, reading)
            elif names:
                yield said(Verdict.PASS, f"all of {', '.join(names)}", subject, reading)
            else:
                yield said(Verdict.SKIP, "the Node has no devices", subject, reading)
        if not reading.parsed.value:
            yield said(Verdict.UNKNOWN, "there is no Node", place(reading), reading)

    yield from each(facts, nodes.parse, judge)


def hardware(facts: Facts) -> Iterator[Answer]:
    """Kubernetes counts as many GPUs as the host's PCI bus has."""
    if lacks := lacking(facts, nodes.parse, lspci.parse):
        yield from lacks
        return
    reading = latest(facts, nodes.parse)
    buses = {one.host: one for one in sound(facts, lspci.parse)}
    for node in reading.parsed.value:
        subject = subjects.node(node.metadata.name)
        bus = buses.get(node.metadata.name)
        counted = node.status.capacity.get(GPU, "0")
        if bus is None or not counted.isdecimal():
            words = "its PCI bus was not collected" if bus is None else f"{counted} is no count"
            yield said(Verdict.UNKNOWN, words, subject, reading)
            continue
        there = len(gpus_of(bus))
        words = f"{GPU}: {counted} counted, {there} on the PCI bus"
        verdict = Verdict.PASS if int(counted) == there else Verdict.FAIL
        if not there and counted == "0":
            verdict, words = Verdict.SKIP, "no GPUs here"
        yield said(verdict, words, subject, reading, bus)
    if not reading.parsed.value:
        yield said(Verdict.UNKNOWN, "there is no Node", subjects.FABRIC, reading)


def gpus_of(bus: Reading[tuple[lspci.PciDevice, ...]]) -> tuple[str, ...]:
    """Return PCI addresses of the GPUs on a host's bus."""
    return tuple(
        one.address
        for one in bus.parsed.value
        if one.kind in GPU_KINDS and GPU_VENDOR in one.name.upper()
    )


def claims(facts: Facts) -> Iterator[Answer]:
    """What drivers tell of devices is what the hosts' sysfs tells."""
    if lacks := lacking(facts, resource_slices.parse):
        yield from lacks
        return
    reading = latest(facts, resource_slices.parse)
    hosts = {one.host: one for one in sound(facts, sysfs_rdma.parse)}
    asked = 0
    for one in reading.parsed.value:
        for device in one.spec.devices:
            address = device.told(*ADDRESS)
            if not isinstance(address, str) or device.told("rdma", "rdmaDevice") is None:
                continue
            asked += 1
            subject = subjects.node(one.spec.node_name or "none", address)
            host = hosts.get(one.spec.node_name)
            if host is None:
                words = f"sysfs of {one.spec.node_name or 'no Node'} was not collected"
                yield said(Verdict.UNKNOWN, words, subject, reading)
            else:
                yield said(*_truth(device, address, host), subject, reading, host)
    if not asked:
        words = "no slice tells of an RDMA device with its PCI address"
        yield said(Verdict.SKIP, words, subjects.FABRIC, reading)


def _truth(offered: OfferedDevice, address: str, host: Reading[Snapshot]) -> tuple[Verdict, str]:
    there: RdmaDevice | None = next(
        (
            one
            for one in host.parsed.value.devices
            if one.pci and one.pci[0].address == address.lower()
        ),
        None,
    )
    truth = {
        "rdma": there is not None,
        "rdmaDevice": there.name if there else None,
        "numaNode": there.numa_node if there else None,
    }
    told = {name: offered.told(name) for name in truth}
    wrong = [
        f"{name} {told[name]} offered, {truth[name]} there"
        for name in truth
        if told[name] is not None and told[name] != truth[name] and (there or name == "rdma")
    ]
    if there is None and told["rdmaDevice"] is not None:
        wrong.append(f"rdmaDevice {told['rdmaDevice']} offered, none there")
    if wrong:
        return Verdict.FAIL, "; ".join(wrong)
    return Verdict.PASS, ", ".join(f"{name} {one}" for name, one in told.items() if one is not None)
