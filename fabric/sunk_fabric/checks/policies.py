"""What operators were told, and whether they did it: policies, modes, readiness."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from sunk.assess.judge import Answer
from sunk.assess.verdict import Verdict
from sunk_fabric import subjects
from sunk_fabric.checks.answers import each, lacking, latest, place, said
from sunk_fabric.facts import Facts, Reading
from sunk_fabric.parse import nic_cluster_policies, nodes, sriov_policies, sriov_state
from sunk_fabric.parse.nic_cluster_policies import ClusterPolicy
from sunk_fabric.parse.sriov_policies import NicSelector, Policy
from sunk_fabric.parse.sriov_state import NodeState, StatusInterface

DEFAULT_MODE = "legacy"
"""Of the embedded switch, where a policy says none."""


def selects(facts: Facts) -> Iterator[Answer]:
    """Each policy has a card on each Node it means, and no function has two policies."""
    wanted = (sriov_policies.parse, sriov_state.parse, nodes.parse)
    if lacks := lacking(facts, *wanted):
        yield from lacks
        return
    readings = [latest(facts, one) for one in wanted]
    policies, states, found = (one.parsed.value for one in readings)
    of_node = {one.metadata.name: one for one in states}
    for policy in policies:
        meant = [one.metadata.name for one in found if policy.selects(one.metadata.labels)]
        for name in meant:
            subject = subjects.node(name, policy.metadata.name)
            yield said(*_chosen(policy, of_node.get(name)), subject, *readings)
        if not meant:
            subject = f"policy/{policy.metadata.name}"
            yield said(Verdict.FAIL, "its nodeSelector means no Node", subject, *readings)
    for state in states:
        subject = subjects.node(state.metadata.name)
        for words in _doubled(policies, state):
            yield said(Verdict.FAIL, words, subject, *readings)
    if not policies:
        yield said(Verdict.SKIP, "there is no policy", subjects.FABRIC, *readings)


def _chosen(policy: Policy, state: NodeState | None) -> tuple[Verdict, str]:
    if state is None:
        return Verdict.UNKNOWN, "the operator tells no state of this Node"
    cards = state.status.interfaces
    chosen = [one.name or one.pci_address for one in cards if _fits(policy.spec.nic_selector, one)]
    if chosen:
        return Verdict.PASS, f"it selects {', '.join(chosen)}"
    return Verdict.FAIL, f"its nicSelector selects none of {len(cards)} cards"


def _fits(wanted: NicSelector, card: StatusInterface) -> bool:
    names = {one.partition("#")[0] for one in wanted.pf_names}
    return (
        wanted.vendor in {"", card.vendor}
        and wanted.device_id in {"", card.device_id}
        and (not names or card.name in names)
        and (not wanted.root_devices or card.pci_address in wanted.root_devices)
    )


def _doubled(policies: tuple[Policy, ...], state: NodeState) -> Iterator[str]:
    """Yield functions that two policies claim for different resources."""
    for card in state.spec.interfaces:
        claims: dict[int, set[str]] = defaultdict(set)
        for group in card.vf_groups:
            for number in range(card.num_vfs):
                if group.has(number):
                    claims[number].add(group.policy_name or group.resource_name)
        double = {number: names for number, names in claims.items() if len(names) > 1}
        if double:
            number, names = min(double.items())
            words = " and ".join(sorted(names))
            yield f"function {number} of {card.pci_address} has two policies: {words}"
    if len({one.metadata.name for one in policies}) < len(policies):
        yield "two policies have one name"


def numa(facts: Facts) -> Iterator[Answer]:
    """Policies let the kubelet know where their functions are."""

    def judge(reading: Reading[tuple[Policy, ...]]) -> Iterator[Answer]:
        for policy in reading.parsed.value:
            subject = f"policy/{policy.metadata.name}"
            if policy.spec.exclude_topology:
                words = "excludeTopology hides the NUMA node from the kubelet"
                yield said(Verdict.WARN, words, subject, reading)
            else:
                yield said(Verdict.PASS, "the NUMA node is advertised", subject, reading)
        if not reading.parsed.value:
            yield said(Verdict.SKIP, "there is no policy", place(reading), reading)

    yield from each(facts, sriov_policies.parse, judge)


def eswitch(facts: Facts) -> Iterator[Answer]:
    """Cards are in the mode that the policy of their functions asks for."""
    wanted = (sriov_policies.parse, sriov_state.parse)
    if lacks := lacking(facts, *wanted):
        yield from lacks
        return
    readings = [latest(facts, one) for one in wanted]
    policies, states = (one.parsed.value for one in readings)
    modes = {one.metadata.name: one.spec.e_switch_mode or DEFAULT_MODE for one in policies}
    asked = 0
    for state in states:
        found = {one.pci_address: one for one in state.status.interfaces}
        for card in state.spec.interfaces:
            mode = {modes[one.policy_name] for one in card.vf_groups if one.policy_name in modes}
            asked += 1
            subject = subjects.node(state.metadata.name, card.pci_address)
            there = found[card.pci_address].e_switch_mode if card.pci_address in found else ""
            if not mode or not there:
                words = "the card's mode is not told" if mode else "its policy is not told of"
                yield said(Verdict.UNKNOWN, words, subject, *readings)
            else:
                words = f"{there}, {' and '.join(sorted(mode))} asked for"
                verdict = Verdict.PASS if mode == {there} else Verdict.FAIL
                yield said(verdict, words, subject, *readings)
    if not asked:
        yield said(Verdict.SKIP, "no policy asks for functions", subjects.FABRIC, *readings)


def operators(facts: Facts) -> Iterator[Answer]:
    """What the network operator installs is ready, part by part."""

    def judge(reading: Reading[tuple[ClusterPolicy, ...]]) -> Iterator[Answer]:
        for policy in reading.parsed.value:
            subject = f"operator/{policy.metadata.name}"
            status = policy.status
            late = [
                f"{one.name}: {one.state}"
                for one in status.applied_states
                if one.state not in {"ready", "ignore"}
            ]
            words = f"{status.state or 'no state'}{f', {status.reason}' if status.reason else ''}"
            words += f"; {', '.join(late)}" if late else ""
            ready = status.state == "ready" and not late
            verdict = Verdict.PASS if ready else Verdict.FAIL
            yield said(verdict if status.state else Verdict.UNKNOWN, words, subject, reading)
        if not reading.parsed.value:
            words = "there is no NicClusterPolicy"
            yield said(Verdict.SKIP, words, place(reading), reading)

    yield from each(facts, nic_cluster_policies.parse, judge)
