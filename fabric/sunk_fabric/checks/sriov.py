"""SR-IOV, as the operator's node states tell it, and sysfs of hosts."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sunk.assess.judge import Answer
from sunk.assess.verdict import Verdict
from sunk_fabric import subjects
from sunk_fabric.checks.answers import each, place, said, sound
from sunk_fabric.facts import Facts, Reading
from sunk_fabric.parse import sriov_state, sysfs_rdma
from sunk_fabric.parse.sriov_state import NodeState, SpecInterface, StatusInterface

Judged = tuple[Verdict, str]


def sync(facts: Facts) -> Iterator[Answer]:
    """The operator says that it has done its work."""

    def judge(reading: Reading[tuple[NodeState, ...]]) -> Iterator[Answer]:
        for state in reading.parsed.value:
            subject = subjects.node(state.metadata.name)
            status, error = state.status.sync_status, state.status.last_sync_error
            words = f"{status or 'no status'}{f', {error}' if error else ''}"
            verdict = Verdict.UNKNOWN
            if error or status == "Failed":
                verdict = Verdict.FAIL
            elif status == "Succeeded":
                verdict = Verdict.PASS
            yield said(verdict, words, subject, reading)
        if not reading.parsed.value:
            yield said(Verdict.UNKNOWN, "there is no node state", place(reading), reading)

    yield from each(facts, sriov_state.parse, judge)


def count(facts: Facts) -> Iterator[Answer]:
    """As many functions as asked for, by number and by list, and in the host's own sysfs."""
    seen = {one.host: one for one in sound(facts, sysfs_rdma.parse)}

    def judge(reading: Reading[tuple[NodeState, ...]]) -> Iterator[Answer]:
        for state, wanted, found in _pairs(reading):
            subject = subjects.node(state.metadata.name, wanted.pci_address)
            numbers = [wanted.num_vfs, found.num_vfs, len(found.vfs)]
            words = "{} asked for, {} there, {} listed".format(*numbers)
            host = seen.get(state.metadata.name)
            cards = (host.parsed.value.cards or ()) if host else ()
            card = next((one for one in cards if one.address == wanted.pci_address), None)
            if host and card:
                numbers.append(len(card.vfs))
                words += f", {len(card.vfs)} on the host"
            used = (reading, host) if host and card else (reading,)
            verdict = Verdict.PASS if len(set(numbers)) == 1 else Verdict.FAIL
            yield said(verdict, words, subject, *used)
        yield from _absent(reading)

    yield from each(facts, sriov_state.parse, judge)


def total(facts: Facts) -> Iterator[Answer]:
    """No more asked for than the firmware allows."""

    def judged(wanted: SpecInterface, found: StatusInterface) -> Judged:
        words = f"{wanted.num_vfs} asked for, the firmware allows {found.total_vfs}"
        return Verdict.PASS if wanted.num_vfs <= found.total_vfs else Verdict.FAIL, words

    yield from _functions(facts, judged)


def mtu(facts: Facts) -> Iterator[Answer]:
    """Functions have the policy's MTU."""

    def judged(wanted: SpecInterface, found: StatusInterface) -> Judged:
        if wanted.mtu is None:
            return Verdict.SKIP, "the policy leaves the MTU"
        told = [one.mtu for one in found.vfs if one.mtu is not None]
        small = sorted(one.pci_address for one in found.vfs if (one.mtu or wanted.mtu) < wanted.mtu)
        if small:
            return Verdict.FAIL, f"below {wanted.mtu} bytes at {', '.join(small)}"
        if len(told) < len(found.vfs) or not told:
            return Verdict.UNKNOWN, "the MTU of a function is not told"
        return Verdict.PASS, f"{len(told)} functions with {wanted.mtu} bytes or more"

    yield from _functions(facts, judged)


def _functions(
    facts: Facts, judged: Callable[[SpecInterface, StatusInterface], Judged]
) -> Iterator[Answer]:
    """Ask about every physical function that something is wanted of."""

    def judge(reading: Reading[tuple[NodeState, ...]]) -> Iterator[Answer]:
        for state, wanted, found in _pairs(reading):
            subject = subjects.node(state.metadata.name, wanted.pci_address)
            yield said(*judged(wanted, found), subject, reading)
        yield from _absent(reading)

    yield from each(facts, sriov_state.parse, judge)


def _pairs(
    reading: Reading[tuple[NodeState, ...]],
) -> Iterator[tuple[NodeState, SpecInterface, StatusInterface]]:
    """Yield every physical function that something is wanted of and that is there."""
    for state in reading.parsed.value:
        there = {one.pci_address: one for one in state.status.interfaces}
        for wanted in state.spec.interfaces:
            if wanted.pci_address in there:
                yield state, wanted, there[wanted.pci_address]


def _absent(reading: Reading[tuple[NodeState, ...]]) -> Iterator[Answer]:
    """Answer for the cards that are not there, and for nodes of which nothing is wanted."""
    for state in reading.parsed.value:
        there = {one.pci_address for one in state.status.interfaces}
        for wanted in state.spec.interfaces:
            if wanted.pci_address not in there:
                subject = subjects.node(state.metadata.name, wanted.pci_address)
                yield said(Verdict.FAIL, "the card is not there", subject, reading)
        if not state.spec.interfaces:
            subject = subjects.node(state.metadata.name)
            yield said(Verdict.SKIP, "no policy asks for functions here", subject, reading)
