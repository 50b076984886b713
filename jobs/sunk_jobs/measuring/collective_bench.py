"""Measuring collectives, whatever library does them: sizes, repetitions, checks, figures.

A library is a `Ranks`: what a program over mpi4py or torch makes of its communicator. Each sample
is some calls in a row between two barriers, so that neither the clock nor a rank that leaves the
barrier early weighs in; the result is checked at each size, after the timed calls.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from sunk_jobs.measuring.bandwidth import Collective, Shape, bus_factor, gb_per_s, shape_of
from sunk_jobs.measuring.timing import calls_for, rounds, summarise
from sunk_jobs.outputs.results import CollectivesResult, Pairs, Row

SAMPLE_SECONDS = 0.002
"""A sample takes about so long: some thousand times the clock's own cost."""
CALLS_MAX = 1000
ELEMENTS_MAX = 2**31 - 1
"""What a count of the MPI standard before its fourth version can say."""
PAIRWISE_RANKS_MAX = 1024
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
_SIZE = re.compile(r"([1-9][0-9]{0,12})([KMG]?)(?:i?B)?")


class Exchange(Protocol):
    """One collective with its buffers, ready to be called again and again."""

    @property
    def call(self) -> Callable[[], object]:
        """Do it once; nothing else, so that it can be timed."""

    def wrong_elements(self) -> int:
        """Do it once into a cleared buffer, and return how many elements of mine are wrong."""


class Link(Protocol):
    """A pair of ranks with a message between them."""

    def send(self) -> None:
        """Send the message."""

    def receive(self) -> None:
        """Receive it."""

    def acknowledge(self) -> None:
        """Say that all came, as the receiver."""

    def acknowledged(self) -> None:
        """Wait for that, as the sender."""

    def wrong_elements(self) -> int:
        """Return how many elements of the last message are wrong, as the receiver."""


class Ranks(Protocol):
    """A communicator of some library."""

    @property
    def rank(self) -> int:
        """This process's."""

    @property
    def size(self) -> int:
        """How many there are."""

    @property
    def element_bytes(self) -> int:
        """Of one element of the buffers."""

    def exchange(self, collective: Collective, shape: Shape) -> Exchange:
        """Return a collective with buffers of this shape."""

    def link(self, peer: int, *, sending: bool, elements: int) -> Link:
        """Return one direction of a pair."""

    def barrier(self) -> None:
        """Wait for all."""

    def seconds(self, call: Callable[[], object], calls: int) -> float:
        """Return the time of one of so many calls in a row."""

    def all_gather(self, value: Any) -> list[Any]:
        """Return everybody's value, by rank."""


@dataclass(frozen=True)
class Plan:
    """What to measure.

    Attributes:
        collectives: which, in this order.
        sizes: bytes of the largest buffer of a rank, ascending.
        pair_bytes: of a message between two ranks.
        warmups: calls at each size before the timed ones.
        samples: timed samples at each size.
    """

    collectives: tuple[Collective, ...]
    sizes: tuple[int, ...]
    pair_bytes: int
    warmups: int
    samples: int


def measure(ranks: Ranks, plan: Plan) -> tuple[tuple[Row, ...], Pairs | None]:
    """Measure everything; all ranks call it and get the same. Collective."""
    rows = []
    pairs = None
    for collective in plan.collectives:
        if collective is Collective.PAIRWISE:
            pairs = _measure_pairs(ranks, plan)
            continue
        for size in plan.sizes:
            shape = shape_of(collective, size, ranks.size, ranks.element_bytes)
            if shape.payload_bytes:
                rows.append(_measure_one(ranks, plan, collective, shape))
    return tuple(rows), pairs


def _measure_one(ranks: Ranks, plan: Plan, collective: Collective, shape: Shape) -> Row:
    exchange = ranks.exchange(collective, shape)
    ranks.barrier()
    slowest = max(ranks.all_gather(ranks.seconds(exchange.call, plan.warmups)))
    calls = calls_for(SAMPLE_SECONDS, slowest, CALLS_MAX)
    samples = sampled(ranks, exchange.call, calls=calls, samples=plan.samples)
    timing = summarise(ranks.all_gather(samples))
    algorithm = gb_per_s(shape.payload_bytes, timing.seconds)
    return Row(
        collective=collective.value,
        size_bytes=shape.payload_bytes,
        elements=shape.send_elements,
        calls=calls,
        **asdict(timing),
        algbw_gb_per_s=algorithm,
        busbw_gb_per_s=algorithm * bus_factor(collective, ranks.size),
        wrong_elements=sum(ranks.all_gather(exchange.wrong_elements())),
    )


def sampled(ranks: Ranks, call: Callable[[], object], *, calls: int, samples: int) -> list[float]:
    """Return this rank's seconds of one call in each sample. Collective."""
    found = []
    for _ in range(samples):
        ranks.barrier()
        found.append(ranks.seconds(call, calls))
    return found


def _measure_pairs(ranks: Ranks, plan: Plan) -> Pairs:
    """Measure each ordered pair, disjoint pairs at once; a row of the matrix is a sender's."""
    elements = max(1, plan.pair_bytes // ranks.element_bytes)
    size = elements * ranks.element_bytes
    mine: list[float | None] = [None] * ranks.size
    wrong = 0
    for met in rounds(ranks.size):
        peer = next((a + b - ranks.rank for a, b in met if ranks.rank in (a, b)), None)
        ranks.barrier()
        if peer is None:
            continue
        # The lower rank sends first.
        for sending in (ranks.rank < peer, ranks.rank > peer):
            link = ranks.link(peer, sending=sending, elements=elements)
            seconds = _pair_seconds(ranks, link, plan, sending=sending)
            if sending:
                mine[peer] = gb_per_s(size, seconds)
            else:
                wrong += link.wrong_elements()
    matrix = ranks.all_gather(mine)
    return pairs_of(size, matrix, sum(ranks.all_gather(wrong)))


def _pair_seconds(ranks: Ranks, link: Link, plan: Plan, *, sending: bool) -> float:
    """Return the time of one message, of as many as there are samples, one acknowledged burst."""
    act, close = (link.send, link.acknowledged) if sending else (link.receive, link.acknowledge)

    def burst(count: int) -> None:
        for _ in range(count):
            act()
        close()

    burst(1)
    return ranks.seconds(lambda: burst(plan.samples), 1) / plan.samples


def pairs_of(
    size_bytes: int, matrix: Sequence[Sequence[float | None]], wrong_elements: int
) -> Pairs:
    """Return the matrix with its figures."""
    found = [
        (value, sender, receiver)
        for sender, row in enumerate(matrix)
        for receiver, value in enumerate(row)
        if value is not None
    ]
    return Pairs(
        size_bytes=size_bytes,
        gb_per_s=tuple(tuple(row) for row in matrix),
        median_gb_per_s=statistics.median(value for value, _, _ in found) if found else None,
        slowest=min(found)[1:] if found else (),
        wrong_elements=wrong_elements,
    )


def result_of(
    schema: str,
    plan: Plan,
    measured: tuple[tuple[Row, ...], Pairs | None],
    *,
    hosts: Iterable[str],
    library: str,
    element_type: str,
    reordered: bool = False,
) -> CollectivesResult:
    """Return the whole result."""
    rows, pairs = measured
    wrong = [row.wrong_elements for row in rows] + ([pairs.wrong_elements] if pairs else [])
    names = tuple(hosts)
    return CollectivesResult(
        schema=schema,
        correct=not any(wrong),
        ranks=len(names),
        hosts=names,
        library=library,
        element_type=element_type,
        samples=plan.samples,
        reordered=reordered,
        rows=rows,
        pairs=pairs,
        job_id=os.environ.get("SLURM_JOB_ID", ""),
    )


def table(rows: Iterable[Row]) -> Iterator[str]:
    """Yield lines for people: one for each row, and a heading."""
    yield f"{'collective':<15}{'bytes':>13}{'us':>12}{'algbw GB/s':>12}{'busbw GB/s':>12}  wrong"
    for row in rows:
        yield (
            f"{row.collective:<15}{row.size_bytes:>13}{row.seconds * 1e6:>12.1f}"
            f"{row.algbw_gb_per_s:>12.3f}{row.busbw_gb_per_s:>12.3f}  {row.wrong_elements}"
        )


def add_options(parser: argparse.ArgumentParser, types: Sequence[str]) -> None:
    """Add the options that the programs share.

    Args:
        parser: gets them.
        types: of elements; the first is the default.
    """
    names = ",".join(one.value for one in Collective)
    add = parser.add_argument
    add("--collectives", default=names, metavar="LIST", help=f"of {names} [default: all]")
    add("--sizes", default="8,1K,64K,1M,16M", metavar="LIST", help="bytes [default: %(default)s]")
    add("--pair-bytes", default="1M", metavar="SIZE", help="message between two ranks")
    add("--type", default=types[0], choices=types, help="of elements [default: %(default)s]")
    add("--warmups", type=int, default=5, metavar="COUNT", help="calls before the timed ones")
    add("--samples", type=int, default=20, metavar="COUNT", help="timed samples at each size")
    add("--ranks", type=int, metavar="COUNT", help="fail unless there are exactly so many")
    add("--folder", metavar="DIR", help="write the result to DIR/result.json too")
    add("--selftest", action="store_true", help="small sizes, two ranks on this machine, seconds")


def plan_of(parser: argparse.ArgumentParser, options: argparse.Namespace) -> Plan:
    """Return what the options ask for; ends the program with a usage error when they are wrong."""
    try:
        chosen = tuple(Collective(word) for word in options.collectives.split(",") if word)
    except ValueError:
        known = ", ".join(one.value for one in Collective)
        parser.error(f"--collectives {options.collectives}: choose from {known}")
    sizes = "1K,64K" if options.selftest else options.sizes
    try:
        wanted = tuple(sorted({size_of(word) for word in sizes.split(",")}))
        pair_bytes = size_of("64K" if options.selftest else options.pair_bytes)
    except ValueError as exc:
        parser.error(str(exc))
    if not chosen:
        parser.error("--collectives: name at least one")
    if options.warmups < 1 or options.samples < 1:
        parser.error("--warmups and --samples must be at least 1")
    samples = min(options.samples, 3) if options.selftest else options.samples
    return Plan(chosen, wanted, pair_bytes, options.warmups, samples)


def refusal(plan: Plan, ranks: int, element_bytes: int, wanted_ranks: int | None) -> str | None:
    """Return why this plan cannot be measured by so many ranks; nothing when it can."""
    if wanted_ranks is not None and ranks != wanted_ranks:
        return f"{ranks} ranks, not {wanted_ranks}: the launcher did not wire them up"
    if (largest := max((*plan.sizes, plan.pair_bytes))) // element_bytes > ELEMENTS_MAX:
        return f"{largest} bytes: the limit is {ELEMENTS_MAX} elements of {element_bytes} bytes"
    if Collective.PAIRWISE in plan.collectives and ranks > PAIRWISE_RANKS_MAX:
        return (
            f"the pairwise matrix of {ranks} ranks: the limit is {PAIRWISE_RANKS_MAX}; leave it "
            "out of --collectives, or start one rank on each node"
        )
    return None


def size_of(word: str) -> int:
    """Return a size in bytes: a number with K, M or G (powers of 1024) or without.

    Raises:
        ValueError: it is none; the message names it.
    """
    match = _SIZE.fullmatch(word)
    if match is None:
        raise ValueError(f"size {word[:40]!r}: a number of bytes, with K, M or G")
    return int(match[1]) * _UNITS[match[2]]
