"""scontrol --oneliner show nodes: what Slurm thinks of its nodes."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sunk_fabric.parse.text import Content, Parsed, Reader, printable

LINE_LIMIT = 65_536
"""Characters: lists of features and partitions stand in one line."""
_NAME = re.compile(r"NodeName=(\S{1,255}) ")
_STATE = re.compile(r" State=([A-Z0-9_+*~#!%$@^-]{1,200})(?= |$)")
_GRES = re.compile(r" Gres=(\S{0,2000})")
_REASON = re.compile(r" Reason=(.{1,600}?)(?: \[(\S+@\S+)\])?(?: Comment=.*| Extra=.*)?\s*$")
_COUNT = re.compile(r"([\w.-]{1,64})(?::[\w.-]{1,64})?:(\d{1,6})(?:\([^)]*\))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class SlurmNode:
    """One node.

    Attributes:
        name: its name.
        states: flags without marks: ``IDLE``, ``DRAIN``.
        responds: whether slurmctld hears of it.
        gres: kind -> amount: ``gpu`` -> 8.
        reason: why it is out of use; empty when it is not.
    """

    name: str
    states: frozenset[str] = frozenset()
    responds: bool = True
    gres: dict[str, int]
    reason: str = ""


def parse(content: Content) -> Parsed[tuple[SlurmNode, ...]]:
    """Return the nodes; a line without a name or a state is not understood."""
    reader = Reader(content, line_limit=LINE_LIMIT)
    found = []
    for line in reader:
        name, state = _NAME.match(line), _STATE.search(line)
        if name is None or state is None:
            reader.unknown(line)
            continue
        gres, reason = _GRES.search(line), _REASON.search(line)
        amounts: dict[str, int] = {}
        for kind, amount in _COUNT.findall(gres[1] if gres else ""):
            amounts[kind] = amounts.get(kind, 0) + int(amount)
        found.append(
            SlurmNode(
                name=name[1],
                states=frozenset(one.rstrip("*~#!%$@^-") for one in state[1].split("+")),
                responds="*" not in state[1],
                gres=amounts,
                reason=printable(reason[1], 200) if reason else "",
            )
        )
    return reader.outcome(tuple(found))
