"""Virtual functions on their hosts: RDMA devices, GUIDs, link state, trust."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from sunk.assess.judge import Answer
from sunk.assess.verdict import Verdict
from sunk_fabric import subjects
from sunk_fabric.checks.answers import each, inside, lacking, latest, place, said, sound
from sunk_fabric.facts import Facts, Reading
from sunk_fabric.parse import ip_link, pod_networks, sriov_policies, sriov_state, sysfs_rdma
from sunk_fabric.parse.ip_link import NetDevice, VirtualFunction
from sunk_fabric.parse.pod_networks import PodAttachments
from sunk_fabric.parse.sriov_state import NodeState
from sunk_jobs.sysfs_rdma import Snapshot

Judged = tuple[Verdict, str]


def rdma(facts: Facts) -> Iterator[Answer]:
    """Each function of a policy with RDMA has an RDMA device, on its host or in its Pod."""
    wanted = (sriov_policies.parse, sriov_state.parse)
    if lacks := lacking(facts, *wanted):
        yield from lacks
        return
    readings = [latest(facts, one) for one in wanted]
    policies, states = (one.parsed.value for one in readings)
    resources = {one.spec.resource_name for one in policies if one.spec.is_rdma}
    pods = sound(facts, pod_networks.parse)
    given = pods[-1].parsed.value if pods else ()
    seen = {one.host: one for one in sound(facts, sysfs_rdma.parse, pods=True)}
    asked = 0
    for state in states:
        found = {one.pci_address: one for one in state.status.interfaces}
        for card in state.spec.interfaces:
            groups = [one for one in card.vf_groups if one.resource_name in resources]
            there = found[card.pci_address].vfs if card.pci_address in found else ()
            functions = [
                one.pci_address for one in there if any(each.has(one.vf_id) for each in groups)
            ]
            if groups:
                asked += 1
                verdict, words, used = _verbs(state, functions, given, seen)
                subject = subjects.node(state.metadata.name, card.pci_address)
                yield said(verdict, words, subject, *readings, *used)
    if not asked:
        yield said(Verdict.SKIP, "no policy wants RDMA", subjects.FABRIC, *readings)


def _verbs(
    state: NodeState,
    functions: list[str],
    given: tuple[PodAttachments, ...],
    seen: Mapping[str, Reading[Snapshot]],
) -> tuple[Verdict, str, list[Reading[Snapshot]]]:
    name = state.metadata.name
    here = [one for one in given if one.pod.node == name]
    names = (name, *(host for pod in here for host in pod.hosts))
    used = [seen[one] for one in names if one in seen]
    if name not in seen:
        return Verdict.UNKNOWN, f"sysfs of {name} was not collected", used
    if not functions:
        return Verdict.UNKNOWN, "the operator lists no function", used
    there = {
        device.pci[0].address for one in used for device in one.parsed.value.devices if device.pci
    }
    # In exclusive mode the device of a function that a Pod has is seen in that Pod alone.
    hidden = {
        one.device_info.pci.pci_address
        for pod in here
        if not any(host in seen for host in pod.hosts)
        for one in pod.attached
        if one.device_info and one.device_info.pci
    }
    bare = sorted(set(functions) - there)
    if set(bare) - hidden:
        words = f"no RDMA device at {', '.join(sorted(set(bare) - hidden))}"
        return Verdict.FAIL, words, used
    if bare:
        words = f"{', '.join(bare)} is in a Pod that was not collected"
        return Verdict.UNKNOWN, words, used
    return Verdict.PASS, f"{len(functions)} functions, each with an RDMA device", used


def guids(facts: Facts) -> Iterator[Answer]:
    """Functions of InfiniBand cards have GUIDs of their own."""

    def judged(device: NetDevice, function: VirtualFunction) -> Judged:
        if device.link_type != "infiniband":
            return Verdict.SKIP, f"the link layer is {device.link_type or 'not told'}"
        told = {"node": function.node_guid, "port": function.port_guid}
        bare = [kind for kind, text in told.items() if text and not text.strip("0:")]
        silent = [kind for kind, text in told.items() if not text]
        if bare:
            return Verdict.FAIL, f"the {' and the '.join(bare)} GUID is all zero"
        if silent:
            return Verdict.UNKNOWN, f"the {' and the '.join(silent)} GUID is not told"
        return Verdict.PASS, f"node GUID {function.node_guid}"

    yield from _functions(facts, judged)


def link(facts: Facts) -> Iterator[Answer]:
    """No function is switched off at its card, and ports in Pods are active."""

    def judged(_device: NetDevice, function: VirtualFunction) -> Judged:
        if not function.link_state:
            return Verdict.UNKNOWN, "the link state is not told"
        off = function.link_state == "disable"
        words = f"link state {function.link_state}"
        return Verdict.FAIL if off else Verdict.PASS, words

    yield from _functions(facts, judged)
    pods = sound(facts, pod_networks.parse)
    view = inside(facts, sysfs_rdma.parse)
    for pod in pods[-1].parsed.value if pods else ():
        if (reading := view(pod)) is not None:
            yield from _ports(pod, reading, pods[-1])


def _ports(
    pod: PodAttachments, reading: Reading[Snapshot], pods: Reading[tuple[PodAttachments, ...]]
) -> Iterator[Answer]:
    given = {
        one.device_info.pci.pci_address
        for one in pod.attached
        if one.device_info and one.device_info.pci
    }
    for device in reading.parsed.value.devices:
        if device.pci and device.pci[0].address in given:
            for port in device.ports:
                subject = subjects.pod(pod.pod.namespace, pod.pod.name, device.name)
                state = port.values.get("state", "")
                words = state or "its state is not told"
                verdict = Verdict.UNKNOWN if not state else Verdict.FAIL
                verdict = Verdict.PASS if state == "4: ACTIVE" else verdict
                yield said(verdict, words, subject, pods, reading)


def trust(facts: Facts) -> Iterator[Answer]:
    """Trust and spoof check of every function are the declared ones."""
    wanted = {"trust": facts.expected.vf_trust, "spoof check": facts.expected.vf_spoof_check}

    def judged(_device: NetDevice, function: VirtualFunction) -> Judged:
        there = {"trust": function.trust, "spoof check": function.spoofchk}
        words = ", ".join(f"{name} {_word(value)}" for name, value in there.items())
        other = [name for name, value in wanted.items() if value not in {None, there[name]}]
        told = [name for name in other if there[name] is not None]
        if told:
            asked = ", ".join(f"{name} {_word(wanted[name])}" for name in told)
            return Verdict.FAIL, f"{words}; declared: {asked}"
        if other:
            return Verdict.UNKNOWN, words
        if not any(value is not None for value in wanted.values()):
            return Verdict.UNKNOWN, f"{words}; neither is declared"
        return Verdict.PASS, words

    yield from _functions(facts, judged)


def _word(value: bool | None) -> str:  # noqa: FBT001 - the value of a switch
    return "not told" if value is None else "on" if value else "off"


def _functions(
    facts: Facts, judged: Callable[[NetDevice, VirtualFunction], Judged]
) -> Iterator[Answer]:
    """Ask about every function that a network device lists."""

    def judge(reading: Reading[tuple[NetDevice, ...]]) -> Iterator[Answer]:
        listed = [(device, one) for device in reading.parsed.value for one in device.vfinfo_list]
        for device, one in listed:
            subject = subjects.node(reading.host, device.ifname, f"vf{one.vf}")
            yield said(*judged(device, one), subject, reading)
        if not listed:
            yield said(Verdict.SKIP, "no virtual functions here", place(reading), reading)

    yield from each(facts, ip_link.parse, judge)
