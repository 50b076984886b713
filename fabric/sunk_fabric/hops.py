"""The hops of a chain, each judged by its own evidence; pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

import msgspec

from sunk.assess.verdict import Verdict
from sunk_fabric.chain import Chain, Hop, Link, Sight, places_of
from sunk_fabric.parse.network_attachments import Definition
from sunk_fabric.parse.network_status import Attachment
from sunk_fabric.parse.nodes import devices as device_amounts
from sunk_fabric.parse.pod_networks import PodAttachments
from sunk_fabric.parse.sriov_state import NodeState, SpecInterface, Vf
from sunk_jobs.sysfs_rdma import RdmaDevice

Judged = tuple[Verdict, str]
Known = TypeVar("Known")
PASS, FAIL, UNKNOWN, SKIP = Verdict.PASS, Verdict.FAIL, Verdict.UNKNOWN, Verdict.SKIP
ACTIVE = "4: ACTIVE"


def chain_of(seen: Sight, node: str, rail: str) -> Chain:
    """Return one rail of one node."""
    links = [Link(hop, *judge(seen, node, rail)) for hop, judge in HOPS.items()]
    verdict, words = _rate(seen, node, rail)
    if verdict is PASS and any(one.verdict not in {PASS, SKIP} for one in links):
        verdict, words = UNKNOWN, f"{words}, but not proved to be of this path"
    return Chain(node, rail, (*links, Link(Hop.RATE, verdict, words)), seen.evidence)


def chains(seen: Sight) -> tuple[Chain, ...]:
    """Return all rails of all nodes, in order."""
    return tuple(chain_of(seen, node, rail) for node, rail in places_of(seen))


def _contract(seen: Sight, node: str, rail: str) -> Judged:  # noqa: ARG001 - of every node
    if not seen.rails:
        return SKIP, "no rails are declared"
    if rail in seen.rails:
        return PASS, "declared"
    return FAIL, f"declared are {', '.join(seen.rails)}"


def _policy(seen: Sight, node: str, rail: str) -> Judged:
    if seen.policies is None:
        return UNKNOWN, "no policies were collected"
    mine = [one for one in seen.policies if one.spec.resource_name == rail]
    if not mine:
        return FAIL, "no policy makes this resource"
    known = (seen.nodes or {}).get(node)
    if known is None and any(one.spec.node_selector for one in mine):
        return UNKNOWN, f"labels of {node} are not known"
    labels = {} if known is None else known.metadata.labels
    chosen = sorted(one.metadata.name for one in mine if one.selects(labels))
    if not chosen:
        names = ", ".join(sorted(one.metadata.name for one in mine))
        return FAIL, f"{names} selects other nodes: look at its nodeSelector"
    return PASS, f"{', '.join(chosen)} selects the node"


def _state(seen: Sight, node: str, rail: str) -> Judged:
    if seen.states is None:
        return UNKNOWN, "no node states were collected"
    state = seen.states.get(node)
    if state is None or not _wanted(seen, node, rail):
        return FAIL, "the operator wants no function of this resource here"
    status, error = state.status.sync_status, state.status.last_sync_error
    if error or status == "Failed":
        return FAIL, f"{status or 'no status'}{f', {error}' if error else ''}"
    if status != "Succeeded":
        return UNKNOWN, status or "no status"
    short = next(_short_of(state, _wanted(seen, node, rail)), "")
    if short:
        return FAIL, short
    return PASS, f"{len(_functions(seen, node, rail))} functions, Succeeded"


def _short_of(state: NodeState, wanted: list[SpecInterface]) -> Iterator[str]:
    """Yield what cards lack of what is wanted of them."""
    found = {one.pci_address: one for one in state.status.interfaces}
    for one in wanted:
        there = found.get(one.pci_address)
        if there is None:
            yield f"card {one.pci_address} is not there"
        elif there.num_vfs != one.num_vfs or len(there.vfs) != one.num_vfs:
            words = f"{one.num_vfs} functions asked for, {there.num_vfs} there"
            yield f"{one.pci_address}: {words}, {len(there.vfs)} listed"


def _wanted(seen: Sight, node: str, rail: str) -> list[SpecInterface]:
    state = (seen.states or {}).get(node)
    cards = () if state is None else state.spec.interfaces
    return [one for one in cards if any(each.resource_name == rail for each in one.vf_groups)]


def _functions(seen: Sight, node: str, rail: str) -> dict[str, Vf]:
    """Return the rail's functions by PCI address."""
    state = (seen.states or {}).get(node)
    found = {} if state is None else {one.pci_address: one for one in state.status.interfaces}
    return {
        vf.pci_address: vf
        for one in _wanted(seen, node, rail)
        for group in one.vf_groups
        if group.resource_name == rail and one.pci_address in found
        for vf in found[one.pci_address].vfs
        if group.has(vf.vf_id)
    }


def _rdma(seen: Sight, node: str, rail: str) -> Judged:
    functions = _functions(seen, node, rail)
    if not functions:
        return UNKNOWN, "which functions there are is not known"
    devices = seen.devices.get(node)
    if devices is None:
        return UNKNOWN, f"sysfs of {node} was not collected"
    # In exclusive mode a function that a Pod has is seen in that Pod alone.
    pods = _pods_on(seen, node)
    views = (devices, *(_of(seen.devices, one, node) or () for one in pods))
    there = {one.pci[0].address for view in views for one in view if one.pci}
    given = {address for pod in pods for address in _addresses(pod)}
    without = sorted(set(functions) - there - given)
    if without:
        return FAIL, f"no RDMA device at {', '.join(without)}"
    return PASS, f"{len(functions)} functions have RDMA devices"


def _allocatable(seen: Sight, node: str, rail: str) -> Judged:
    if seen.nodes is None:
        return UNKNOWN, "no Nodes were collected"
    known = seen.nodes.get(node)
    if known is None:
        return FAIL, "Kubernetes has no Node of this name"
    offered = device_amounts(known.status.allocatable, rail)
    capacity = device_amounts(known.status.capacity, rail)
    if len(offered) != 1:
        several = f"several resources are called so: {', '.join(offered)}"
        return FAIL, several if offered else "the Node offers no such resource"
    name, count = next(iter(offered.items()))
    if count < capacity.get(name, count):
        return FAIL, f"{name}: {capacity[name] - count} of {capacity[name]} are unhealthy"
    functions = _functions(seen, node, rail)
    if functions and count != len(functions):
        return FAIL, f"{name}: {count} offered, {len(functions)} functions there"
    return PASS, f"{name}: {count}"


def _attachments(seen: Sight, rail: str) -> list[Definition]:
    return [
        one for one in seen.attachments or () if rail and one.resource.rpartition("/")[2] == rail
    ]


def _attachment(seen: Sight, node: str, rail: str) -> Judged:
    if seen.attachments is None:
        return UNKNOWN, "no network attachments were collected"
    mine = _attachments(seen, rail)
    if not mine:
        return FAIL, "no NetworkAttachmentDefinition asks for this resource"
    broken = sorted(one.name for one in mine if one.plugins is None)
    if broken:
        return FAIL, f"{broken[0]} is no CNI configuration"
    known = (seen.nodes or {}).get(node)
    foreign = sorted(
        one.name
        for one in mine
        if known is not None and one.resource not in known.status.allocatable
    )
    if foreign:
        return FAIL, f"{foreign[0]} asks for a resource that the Node has not"
    names = (f"{one.name} by {' and '.join(one.plugins or ())}" for one in mine)
    return PASS, "; ".join(sorted(names))


def _pods_on(seen: Sight, node: str) -> list[PodAttachments]:
    return [one for one in seen.pods or () if one.pod.node == node]


def _addresses(pod: PodAttachments) -> set[str]:
    """Return the PCI addresses of what a Pod got."""
    return {
        one.device_info.pci.pci_address
        for one in pod.attached
        if one.device_info is not None and one.device_info.pci is not None
    }


def _attached(
    seen: Sight, node: str, rail: str
) -> Iterator[tuple[PodAttachments, Attachment | None]]:
    """Yield each Pod on the Node that asked for the rail, with what it got of it."""
    names = {one.name for one in _attachments(seen, rail)}
    for pod in _pods_on(seen, node):
        got = [one for one in pod.attached if one.name in names]
        if got:
            yield from ((pod, one) for one in got)
        elif any(name in names for name in _asked(pod)):
            yield pod, None


def _asked(pod: PodAttachments) -> list[str]:
    """Return ``namespace/name`` of the networks that it asks for, in either form."""
    if pod.pod.networks.lstrip().startswith("["):
        return [f"{one.namespace or pod.pod.namespace}/{one.name}" for one in _long_form(pod)]
    words = (one.strip().partition("@")[0] for one in pod.pod.networks.split(","))
    return [one if "/" in one else f"{pod.pod.namespace}/{one}" for one in words if one]


class _Network(msgspec.Struct, frozen=True):
    name: str = ""
    namespace: str = ""


def _long_form(pod: PodAttachments) -> tuple[_Network, ...]:
    try:
        return msgspec.json.decode(pod.pod.networks, type=tuple[_Network, ...])
    except msgspec.MsgspecError:
        return ()


def _pod(seen: Sight, node: str, rail: str) -> Judged:
    if seen.pods is None:
        return UNKNOWN, "no Pods were collected"
    found = list(_attached(seen, node, rail))
    if not found:
        return UNKNOWN, "no Pod on the Node has asked for it"
    functions = _functions(seen, node, rail)
    named = []
    for pod, got in found:
        name = f"{pod.pod.namespace}/{pod.pod.name}"
        if got is None:
            return FAIL, f"{name} asked for it and its network status has it not"
        if got.device_info is None or got.device_info.pci is None:
            return UNKNOWN, f"the status of {name} names no device"
        address = got.device_info.pci.pci_address
        if functions and address not in functions:
            return FAIL, f"{name} has {address}, which is no function of this rail"
        named.append(f"{name} has {address}")
    return PASS, "; ".join(named)


def _in_pods(
    seen: Sight, node: str, rail: str
) -> Iterator[tuple[PodAttachments, str, RdmaDevice | None]]:
    """Yield Pod, name of its device of the rail, and that device where its sysfs was read."""
    for pod, got in _attached(seen, node, rail):
        if got is None or got.device_info is None or got.device_info.pci is None:
            continue
        pci = got.device_info.pci
        there = _of(seen.devices, pod, node)
        if there is None:
            continue
        matching = [
            one
            for one in there
            if (one.pci and one.pci[0].address == pci.pci_address)
            or (pci.rdma_device and one.name == pci.rdma_device)
        ]
        name = matching[0].name if matching else pci.rdma_device or pci.pci_address
        yield pod, name, matching[0] if matching else None


def _hosts(pod: PodAttachments, node: str) -> tuple[str, ...]:
    """Return under which names of hosts a Pod was asked: itself, or in its Node's place."""
    return *pod.hosts, node


def _of(known: Mapping[str, Known], pod: PodAttachments, node: str) -> Known | None:
    """Return what is known of a Pod; nothing when it was asked under none of its names."""
    return next((known[one] for one in _hosts(pod, node) if one in known), None)


def _device(seen: Sight, node: str, rail: str) -> Judged:
    found = list(_in_pods(seen, node, rail))
    if not found:
        return UNKNOWN, "no sysfs of a Pod with it was collected"
    for pod, name, device in found:
        if device is None:
            return FAIL, f"{name} is not seen in {pod.pod.name}"
        wrong = next(_wrong_of(device), "")
        if wrong:
            return FAIL, f"{name} in {pod.pod.name} {wrong}"
    return PASS, "; ".join(f"{name} is active in {pod.pod.name}" for pod, name, _ in found)


def _wrong_of(device: RdmaDevice) -> Iterator[str]:
    """Yield what keeps a device from sending."""
    if not device.ports:
        yield "has no port"
    for port in device.ports:
        place = f"port {port.number}"
        state = port.values.get("state", "")
        ethernet = port.values.get("link_layer") == "Ethernet"
        if state != ACTIVE:
            yield f"{place} is {state.partition(': ')[2] or 'in no known state'}"
        elif not port.gids:
            yield f"{place} has no GID"
        elif ethernet and not any(one.type == "RoCE v2" for one in port.gids):
            yield f"{place} has no RoCE v2 GID"


def _nccl(seen: Sight, node: str, rail: str) -> Judged:
    found = [(pod, name) for pod, name, device in _in_pods(seen, node, rail) if device is not None]
    if not found:
        return UNKNOWN, "which device to look for is not known"
    for pod, name in found:
        processes = _of(seen.processes, pod, node)
        if not processes:
            return UNKNOWN, f"no log of NCCL on {pod.pod.name}"
        if not any(hca.name == name for one in processes for hca in one.hcas):
            return FAIL, f"NCCL on {pod.pod.name} does not use {name}"
    return PASS, "; ".join(f"NCCL on {pod.pod.name} uses {name}" for pod, name in found)


def _rate(seen: Sight, node: str, rail: str) -> Judged:
    rates = [
        (name, rate)
        for pod, name, _ in _in_pods(seen, node, rail)
        for host in _hosts(pod, node)
        if (rate := seen.rates.get(host, {}).get(name)) is not None
    ]
    if not rates:
        return UNKNOWN, "nothing was measured over it"
    name, rate = max(rates, key=lambda one: one[1])
    return PASS, f"{rate:g} Gb/s over {name}"


HOPS: Mapping[Hop, Callable[[Sight, str, str], Judged]] = {
    Hop.CONTRACT: _contract,
    Hop.POLICY: _policy,
    Hop.STATE: _state,
    Hop.FUNCTIONS: _rdma,
    Hop.ALLOCATABLE: _allocatable,
    Hop.ATTACHMENT: _attachment,
    Hop.POD: _pod,
    Hop.DEVICE: _device,
    Hop.NCCL: _nccl,
}
"""All but the rate, which is worth something only where these hold."""
