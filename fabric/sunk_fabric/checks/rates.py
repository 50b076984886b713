"""What an active test says of rates and losses: hosts, pairs, hop classes, many at once."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence

from sunk.assess.judge import Answer
from sunk.assess.verdict import Verdict
from sunk_fabric import subjects
from sunk_fabric.active.layout import UNKNOWN_HOP
from sunk_fabric.active.leaves import LEAST_LEAVES
from sunk_fabric.active.polish import LEAST_CELLS
from sunk_fabric.active.samples import Gone, Sample
from sunk_fabric.active.suspects import Kind, Suspect
from sunk_fabric.checks.active import (
    CONGESTING,
    NAMED,
    answer,
    decided,
    directions,
    each_test,
    pairs_of,
    proven,
    ways,
)
from sunk_fabric.checks.pcie import slot_gbit_per_s
from sunk_fabric.expected import bandwidth_ceiling
from sunk_fabric.facts import Facts
from sunk_fabric.limits import Limit
from sunk_fabric.tested import Tested

TCP = Limit(0.80, 0.50, "of the rate of the link", "proposal")
"""Of a link's rate, for one host's TCP. Proposal: headers take 6 % at an MTU of 1500."""
CONGESTED_SHARE = 0.80
"""Of the receiving links' rate, many at once. Proposal."""
UNPROVEN = "; nothing proves which way the bytes went"


def loss(facts: Facts) -> Iterator[Answer]:
    """Hosts and pairs whose segments had to be repeated."""

    def judge(test: Tested) -> Iterator[Answer]:
        shares = [one.retransmit_share for one in test.samples if one.retransmit_share is not None]
        if not shares:
            yield answer(test, Verdict.SKIP, "the tool tells no segments")
            return
        usual = f"usual here {statistics.median(shares):.2%}"
        found = test.assessment.of(Kind.LOSSY)
        for host, own in _hosts(found):
            share = max(one.lost for one in own)
            words = f"{share:.1%} of the segments that it {directions(own)} repeated; {usual}"
            yield answer(test, decided(own), words, subjects.node(host), hosts=[host])
        for ends, own in pairs_of(found):
            share = max(one.lost for one in own)
            words = f"{ways(own)}: {share:.1%} of segments repeated; {usual}; {_again(own)}"
            yield answer(test, decided(own), words, subjects.pair(*ends), hosts=ends[:2])
        if not found:
            yield answer(test, Verdict.PASS, f"{len(shares)} transfers, {usual}")

    yield from each_test(facts, judge)


def host_rate(facts: Facts) -> Iterator[Answer]:
    """Each host against its peers."""

    def judge(test: Tested) -> Iterator[Answer]:
        if reason := _not_compared(test):
            yield answer(test, Verdict.SKIP, reason)
            return
        slow = dict(_hosts(test.assessment.of(Kind.SLOW)))
        for host in test.record.hosts:
            own = slow.get(host, [])
            verdict, words = _host(test, host, own)
            if verdict is not Verdict.UNKNOWN and not proven(facts, _of(test, host)):
                verdict, words = Verdict.UNKNOWN, words + UNPROVEN
            rails = {one.rail for one in own}
            rail = (*rails,) if len(rails) == 1 and rails < set(test.record.rails) else ()
            yield answer(test, verdict, words, subjects.node(host, *rail), hosts=[host])

    yield from each_test(facts, judge)


def _host(test: Tested, host: str, own: Sequence[Suspect]) -> tuple[Verdict, str]:
    partners = min(
        len({one.flow.ends for one in _of(test, host) if one.flow.ends[side] == host})
        for side in (0, 1)
    )
    if own:
        left = 1 - max(one.lost for one in own)
        words = f"{directions(own)} at {left:.2f} of what its peers do, in"
        words += f" {sum(one.cells for one in own)} pairs; {_again(own)}"
        return _sized(test, own), words
    if partners < LEAST_CELLS:
        return Verdict.UNKNOWN, f"{partners} partners each way are too few to compare it"
    if share := test.assessment.slower_kinds.get(host):
        words = f"of a kind of hosts at {share:.2f} of the fastest kind's rate"
        return Verdict.WARN, f"{words}; declare their links in the topology file if it is meant"
    return Verdict.PASS, f"like its peers, with {partners} partners or more each way"


_ELSEWHERE = "what its hosts do elsewhere"
_ALONE = "the other way; two hosts alone do not tell a slow host from a slow link"


def link_rate(facts: Facts) -> Iterator[Answer]:
    """Pairs that are slower than their hosts explain."""

    def judge(test: Tested) -> Iterator[Answer]:
        if reason := _not_compared(test):
            yield answer(test, Verdict.SKIP, reason)
            return
        found = pairs_of(test.assessment.of(Kind.SLOW))
        sure = proven(facts, test.samples)
        for ends, own in found:
            left = 1 - max(one.lost for one in own)
            alone = len(test.record.hosts) == 2
            words = f"{ways(own)} at {left:.2f} of {_ALONE if alone else _ELSEWHERE}; {_again(own)}"
            sized = Verdict.WARN if alone else _sized(test, own)
            verdict = sized if sure else Verdict.UNKNOWN
            words += "" if sure else UNPROVEN
            yield answer(test, verdict, words, subjects.pair(*ends), hosts=ends[:2])
        if not found:
            yield _no_pair(test, sure=sure)

    yield from each_test(facts, judge)


def _no_pair(test: Tested, *, sure: bool) -> Answer:
    figures = test.assessment
    count = len(test.record.hosts)
    possible = count * (count - 1) * len(test.record.rails)
    words = f"{len(figures.relative)} of {possible} ordered pairs, noise {figures.noise:.1%}"
    once = [f"{one} to {other} {rail}".strip() for one, other, rail in figures.fleeting]
    if once:
        more = f" and {len(once) - NAMED} more" if len(once) > NAMED else ""
        words += f"; low once and not again: {', '.join(once[:NAMED])}{more}"
    if not figures.relative:
        return answer(test, Verdict.UNKNOWN, "no pair was measured")
    if not sure:
        return answer(test, Verdict.UNKNOWN, words + UNPROVEN)
    return answer(test, Verdict.PASS, words)


def leaf_rate(facts: Facts) -> Iterator[Answer]:
    """Leaves whose hosts are all slow to others and not among themselves."""

    def judge(test: Tested) -> Iterator[Answer]:
        if reason := _not_compared(test):
            yield answer(test, Verdict.SKIP, reason)
            return
        known = len(set(test.layout.leaf_of.values()))
        found: dict[str, list[Suspect]] = {}
        for one in test.assessment.of(Kind.SLOW):
            if one.leaf:
                found.setdefault(one.leaf, []).append(one)
        sure = proven(facts, test.samples)
        for leaf, own in sorted(found.items()):
            left = 1 - max(one.lost for one in own)
            words = f"{directions(own)} beyond itself at {left:.2f} of what other leaves do, in"
            words += f" {sum(one.cells for one in own)} pairs; {_again(own)}"
            verdict = _sized(test, own) if sure else Verdict.UNKNOWN
            hosts = [host for (host, _), one in test.layout.leaf_of.items() if one == leaf]
            yield answer(
                test,
                verdict,
                words + ("" if sure else UNPROVEN),
                subjects.switch(leaf),
                hosts=hosts[:1],
            )
        if known < LEAST_LEAVES:
            yield answer(test, Verdict.SKIP, f"{known} leaves are known: it takes {LEAST_LEAVES}")
        elif not found:
            verdict = Verdict.PASS if sure else Verdict.UNKNOWN
            yield answer(test, verdict, f"{known} leaves" + ("" if sure else UNPROVEN))

    yield from each_test(facts, judge)


def class_rate(facts: Facts) -> Iterator[Answer]:
    """The median of each hop class against the declared rate."""

    def judge(test: Tested) -> Iterator[Answer]:
        if reason := _not_compared(test):
            yield answer(test, Verdict.SKIP, reason)
            return
        for (rail, hop), median in sorted(test.assessment.levels.items()):
            subject = f"{subjects.run('fabric test')}/{_hop(hop)}" + (f"/{rail}" if rail else "")
            verdict, words = _class(facts, test, rail, median)
            if not proven(facts, test.samples):
                verdict, words = Verdict.UNKNOWN, words + UNPROVEN
            yield answer(test, verdict, words, subject)
        if not test.assessment.levels:
            yield answer(test, Verdict.UNKNOWN, "no pair was measured")

    yield from each_test(facts, judge)


def _class(facts: Facts, test: Tested, rail: str, median: float) -> tuple[Verdict, str]:
    words = f"median {median:.4g} Gb/s"
    declared = _declared(facts, test, rail)
    if declared is None:
        return Verdict.UNKNOWN, f"{words}; no rate is declared to compare it with"
    path = next((one.path for one in test.samples if one.path), None)
    limit, most = facts.expected.limit("pair.class.rate"), declared
    if path is not None and path.link != "tcp" and path.mtu_bytes:
        most = bandwidth_ceiling(
            declared,
            path.mtu_bytes,
            ethernet=path.link == "Ethernet",
            pcie_gbit_per_s=_slot(facts, test, rail),
        ).gbit_per_s
    elif not limit.words:
        limit = TCP
    share = median / most
    words += f" is {share:.3f} of {most:.4g} Gb/s{limit.words}"
    if share > 1.02:
        return Verdict.UNKNOWN, f"{words}: more than there can be, a wrong path or declaration"
    verdict = Verdict.WARN if share >= limit.failing else Verdict.FAIL
    return (Verdict.PASS if share >= limit.passing else verdict), words


def _slot(facts: Facts, test: Tested, rail: str) -> float | None:
    """Return what the slots of most hosts' adapters carry; nothing where some do not tell."""
    slots = [slot_gbit_per_s(facts, host, rail) for host in test.record.hosts] if rail else []
    known = [one for one in slots if one is not None]
    return statistics.median_low(known) if known and len(known) == len(slots) else None


def _declared(facts: Facts, test: Tested, rail: str) -> float | None:
    """Return the rate of most hosts' links, from the topology, or the one that a site declares."""
    known = [rate for (_, one), rate in test.layout.rate_gbit_per_s.items() if one == rail]
    if len(known) == len(test.record.hosts):
        return statistics.median_low(known)
    return facts.expected.port_gbit_per_s


def congestion(facts: Facts) -> Iterator[Answer]:
    """What arrives together, where many send at once."""

    def judge(test: Tested) -> Iterator[Answer]:
        if test.record.pattern not in CONGESTING:
            yield answer(test, Verdict.SKIP, f"a {test.record.pattern} keeps transfers apart")
            return
        for number in sorted({one.round for one in test.samples}):
            flows = [one for one in test.samples if one.round == number]
            subject = f"{subjects.run('fabric test')}/round {number}"
            yield answer(test, *_together(facts, test, flows), subject)

    yield from each_test(facts, judge)


def _together(facts: Facts, test: Tested, flows: Sequence[Sample]) -> tuple[Verdict, str]:
    rates = [one.gbit_per_s for one in flows if one.gbit_per_s]
    receivers = {(one.flow.receiver, one.flow.rail) for one in flows}
    words = f"{len(rates)} of {len(flows)} senders, {len(receivers)} receiving links:"
    words += f" {sum(rates):.4g} Gb/s together"
    if len(rates) < len(flows):
        return Verdict.UNKNOWN, words
    declared = [_declared(facts, test, rail) for _, rail in receivers]
    if None in declared:
        return Verdict.UNKNOWN, f"{words}; no rate is declared to compare it with"
    senders = {(one.flow.sender, one.flow.rail) for one in flows}
    most = sum(one for one in declared if one) * min(1.0, len(senders) / len(receivers))
    share = sum(rates) / most
    words += f", {share:.2f} of {most:.4g}; fair share {_fairness(rates):.2f}"
    if not proven(facts, flows):
        return Verdict.UNKNOWN, words + UNPROVEN
    return (Verdict.PASS if share >= CONGESTED_SHARE else Verdict.WARN), words


def _fairness(rates: Sequence[float]) -> float:
    """Return Jain's index: 1 when all get the same, 1/n when one gets all (Jain, 1984)."""
    return float(sum(rates) ** 2 / (len(rates) * sum(one * one for one in rates)))


def _not_compared(test: Tested) -> str:
    if test.record.pattern in CONGESTING:
        return f"a {test.record.pattern} is judged by what arrives together"
    rates = any(one.gbit_per_s for one in test.samples)
    if not rates and any(one.gone is Gone.NO for one in test.samples):
        return "a latency test"
    return ""


def _sized(test: Tested, own: Sequence[Suspect]) -> Verdict:
    verdict = decided(own)
    small = max(one.lost for one in own) < test.record.effect
    return Verdict.WARN if verdict is Verdict.FAIL and small else verdict


def _again(own: Sequence[Suspect]) -> str:
    repeats = sum(one.repeats for one in own)
    sure = min(one.sure for one in own)
    what = {True: "again so", False: "not so again", None: "not repeated enough"}
    verdict = what[True if any(one.confirmed for one in own) else own[0].confirmed]
    return f"{repeats} repetitions: {verdict}; confidence {sure:.4f}"


def _hosts(suspects: Sequence[Suspect]) -> list[tuple[str, list[Suspect]]]:
    found: dict[str, list[Suspect]] = {}
    for one in suspects:
        if one.way is not None and not one.leaf:
            found.setdefault(one.host, []).append(one)
    return sorted(found.items())


def _of(test: Tested, host: str) -> list[Sample]:
    return [one for one in test.samples if host in one.flow.ends and one.gbit_per_s]


def _hop(hop: int) -> str:
    if hop == UNKNOWN_HOP:
        return "any way"
    return "same leaf" if hop == 0 else f"over tier {hop}"
