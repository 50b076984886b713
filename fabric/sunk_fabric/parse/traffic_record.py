"""The record of ``sunk fabric test``: what was planned and tried, and which output is whose."""

from __future__ import annotations

import msgspec

from sunk_fabric.parse import json_text
from sunk_fabric.parse.text import Content, Parsed, printable

SCHEMA = "sunk.dev/fabric_test/v1"


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One transfer.

    Attributes:
        round: number of its round, from 1.
        phase: ``screen`` or ``confirm``.
        sender: host that sends.
        receiver: host that receives.
        rail: adapter; empty without a choice.
        evidence: id of the output; empty when there is none.
        gone: ``skipped`` or ``broken`` when it was not made; empty otherwise.
        trouble: the same in words.
    """

    round: int
    phase: str
    sender: str
    receiver: str
    rail: str = ""
    evidence: str = ""
    gone: str = ""
    trouble: str = ""


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where a host's adapter is attached.

    Attributes:
        host: its name.
        rail: adapter.
        leaf: switch; empty when not known.
        gbit_per_s: rate of its link; None when not known.
    """

    host: str
    rail: str = ""
    leaf: str = ""
    gbit_per_s: float | None = None


class Leaf(msgspec.Struct, frozen=True, kw_only=True):
    """A switch that hosts are attached to.

    Attributes:
        name: of the switch.
        above: switches that its packets can climb to, by tier, from its own on.
        uplinks: cables that leave it upwards; 0 when not known.
    """

    name: str
    above: tuple[tuple[str, ...], ...] = ()
    uplinks: int = 0


class Cleanup(msgspec.Struct, frozen=True, kw_only=True):
    """What was looked for on a host afterwards.

    Attributes:
        host: its name.
        state: ``clean``, ``ended`` (something ran and was ended), ``remaining`` or ``unknown``.
        found: what, or why it is not known.
    """

    host: str
    state: str
    found: str = ""


class TestRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One test.

    Attributes:
        schema: of this record.
        pattern: ``tournament``, ``hops``, ``bisection`` or ``incast``.
        tool: what moved the bytes.
        effect: share of the rate whose loss is a fault.
        rounds: that were planned.
        confirm_rounds: most that were allowed to repeat suspects.
        seed: of the order.
        hosts: in the order of the network.
        rails: adapters; one empty name without a choice.
        places: where they are attached.
        leaves: the switches there.
        attempts: in the order they were made.
        cleanup: what was found on the hosts afterwards.
        interrupted: whether it was ended before its plan was.
        shortened: what limits took away from the plan.
    """

    schema: str
    pattern: str = ""
    tool: str = ""
    effect: float = 0.1
    rounds: int = 0
    confirm_rounds: int = 0
    seed: int = 0
    hosts: tuple[str, ...] = ()
    rails: tuple[str, ...] = ("",)
    places: tuple[Place, ...] = ()
    leaves: tuple[Leaf, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    cleanup: tuple[Cleanup, ...] = ()
    interrupted: bool = False
    shortened: tuple[str, ...] = ()


_NOTHING = TestRecord(schema="")


def parse(content: Content) -> Parsed[TestRecord]:
    """Return the record; one that names hosts it does not list is damage."""
    return json_text.checked(content, TestRecord, _NOTHING, _wrong)


def _wrong(one: TestRecord) -> str:
    if one.schema != SCHEMA:
        return f"its schema is {printable(repr(one.schema))} and not {SCHEMA}"
    if not 0 < one.effect < 1:
        return f"an effect of {one.effect:g} is no share"
    hosts, rails = set(one.hosts), set(one.rails)
    for attempt in one.attempts:
        if not {attempt.sender, attempt.receiver} <= hosts or attempt.rail not in rails:
            named = f"{attempt.sender} to {attempt.receiver} {attempt.rail}"
            return f"an attempt names what it does not list: {printable(named)}"
        if attempt.sender == attempt.receiver:
            return f"an attempt of {printable(attempt.sender)} with itself"
    return ""
