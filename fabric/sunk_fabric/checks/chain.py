"""Rails of nodes, from policy to measurement, and the objects of Kubernetes on the way."""

from __future__ import annotations

from collections.abc import Iterator

from sunk.assess.judge import Answer
from sunk.assess.verdict import Verdict
from sunk_fabric import subjects
from sunk_fabric.chain import sight_of
from sunk_fabric.checks.answers import each, missing, said, sound
from sunk_fabric.facts import Facts, Reading
from sunk_fabric.hops import chains
from sunk_fabric.parse import network_attachments, nodes, sriov_policies, sriov_state
from sunk_fabric.parse.network_attachments import Definition


def proved(facts: Facts) -> Iterator[Answer]:
    """Every hop of every rail of every node holds; the first broken one is named."""
    seen = sight_of(facts)
    if seen.policies is None and seen.states is None:
        yield missing(sriov_policies.parse, sriov_state.parse)
        return
    found = chains(seen)
    for one in found:
        yield Answer(
            verdict=one.verdict,
            found=said(one.verdict, one.found, "").found,
            subject=subjects.node(one.node, one.rail),
            evidence=one.evidence,
        )
    if not found:
        yield Answer(
            verdict=Verdict.UNKNOWN, found="no policy or node state speaks of a rail of a node"
        )


def valid(facts: Facts) -> Iterator[Answer]:
    """Every definition has a CNI configuration that can be read."""

    def judge(reading: Reading[tuple[Definition, ...]]) -> Iterator[Answer]:
        for one in reading.parsed.value:
            plugins = one.plugins
            words = "no CNI configuration" if plugins is None else ", ".join(plugins)
            verdict = Verdict.FAIL if plugins is None else Verdict.PASS
            yield said(verdict, words, _subject(one), reading)
        if not reading.parsed.value:
            yield said(Verdict.UNKNOWN, "there is no definition", subjects.FABRIC, reading)

    yield from each(facts, network_attachments.parse, judge)


def resource(facts: Facts) -> Iterator[Answer]:
    """Every resource that a definition names is offered by a Node."""
    there = sound(facts, nodes.parse)

    def judge(reading: Reading[tuple[Definition, ...]]) -> Iterator[Answer]:
        if not there:
            yield missing(nodes.parse)
            return
        offered = {
            name
            for node in there[-1].parsed.value
            for name, amount in node.status.allocatable.items()
            if amount != "0"
        }
        for one in reading.parsed.value:
            name = one.resource
            if not name:
                verdict, words = Verdict.SKIP, "it names no resource"
            elif name in offered:
                verdict, words = Verdict.PASS, f"{name} is offered"
            else:
                verdict, words = Verdict.FAIL, f"no Node offers {name}"
            yield said(verdict, words, _subject(one), reading, there[-1])

    yield from each(facts, network_attachments.parse, judge)


def rdma(facts: Facts) -> Iterator[Answer]:
    """Where RDMA devices are exclusive, the plugin that moves them is in every chain of SR-IOV."""
    exclusive = facts.expected.rdma_netns == "exclusive"

    def judge(reading: Reading[tuple[Definition, ...]]) -> Iterator[Answer]:
        for one in reading.parsed.value:
            plugins = one.plugins or ()
            if "sriov" not in plugins and "ib-sriov" not in plugins:
                verdict, words = Verdict.SKIP, "no SR-IOV"
            elif not exclusive:
                verdict, words = Verdict.SKIP, "exclusive mode is not declared"
            elif "rdma" in plugins:
                verdict, words = Verdict.PASS, ", ".join(plugins)
            else:
                verdict, words = Verdict.FAIL, f"{', '.join(plugins)}, and no rdma"
            yield said(verdict, words, _subject(one), reading)

    yield from each(facts, network_attachments.parse, judge)


def _subject(one: Definition) -> str:
    return subjects.attachment(one.metadata.namespace, one.metadata.name)
