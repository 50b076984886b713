"""``python3 -m sunk_jobs.collectives``, also with torch: the one line of JSON that it prints."""

from __future__ import annotations

import msgspec

from sunk_fabric.parse import json_text
from sunk_fabric.parse.text import Content, Parsed, printable
from sunk_jobs.outputs.results import COLLECTIVES, TORCH_COLLECTIVES


class Pairs(msgspec.Struct, frozen=True, kw_only=True):
    """Bandwidth between each two ranks.

    Attributes:
        size_bytes: of one message.
        gb_per_s: by sending rank, then by receiving rank; None on the diagonal.
        wrong_elements: over all pairs.
    """

    size_bytes: int
    gb_per_s: tuple[tuple[float | None, ...], ...]
    wrong_elements: int


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One collective at one size.

    Attributes:
        collective: ``all_reduce`` and more.
        size_bytes: of the largest buffer of a rank.
        algbw_gb_per_s: that size over the time of a call, in 10⁹ bytes.
    """

    collective: str
    size_bytes: int
    algbw_gb_per_s: float


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """One run.

    Attributes:
        schema: names the program.
        correct: whether no element was wrong anywhere.
        hosts: host of each rank, in rank order.
        library: the MPI library, or torch and its back end.
        rows: what was measured of all ranks together.
        pairs: the matrix; None unless it was asked for.
    """

    schema: str
    correct: bool = False
    hosts: tuple[str, ...] = ()
    library: str = ""
    rows: tuple[Row, ...] = ()
    pairs: Pairs | None = None


_NOTHING = Measured(schema="")


def parse(content: Content) -> Parsed[Measured]:
    """Return the run; a matrix that is not square, or of other ranks, is damage."""
    return json_text.checked(content, Measured, _NOTHING, _wrong)


def _wrong(one: Measured) -> str:
    if one.schema not in {COLLECTIVES, TORCH_COLLECTIVES}:
        return f"its schema is {printable(repr(one.schema))} and not {COLLECTIVES}"
    if any(not 0 < row.algbw_gb_per_s < float("inf") for row in one.rows):
        return "a row has a bandwidth that is none"
    if one.pairs is None:
        return ""
    rows = one.pairs.gb_per_s
    if len(rows) != len(one.hosts) or any(len(row) != len(rows) for row in rows):
        return f"the matrix of pairs does not fit {len(one.hosts)} ranks"
    if any(value is not None and not 0 < value < float("inf") for row in rows for value in row):
        return "the matrix of pairs has a rate that is none"
    return ""
