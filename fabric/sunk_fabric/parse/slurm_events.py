"""``sacctmgr show event``: when nodes went out of use, why, and when they came back.

Times are seconds since 1970, as SLURM_TIME_FORMAT=%s makes them: those of clocks of walls jump.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from sunk_fabric.parse.text import Content, Parsed, Reader, printable

_EVENT = re.compile(
    r"(?P<node>[\w.-]{0,255})\|(?P<start>\d{1,12})\|(?P<end>\d{1,12}|Unknown)\|"
    r"(?P<state>[A-Z0-9_+*~#!%$@^-]{0,200})\|(?P<reason>.{0,1000})\|(?P<user>[^|]{0,255})"
)


@dataclass(frozen=True, slots=True)
class SlurmEvent:
    """A time that a node was out of use.

    Attributes:
        node: its name.
        start: when it began, in seconds since 1970.
        end: when it ended; None while it lasts.
        states: flags without marks: ``DRAIN``, ``DOWN``.
        reason: why.
        user: who did it, as ``root(0)``.
    """

    node: str
    start: int
    end: int | None
    states: frozenset[str]
    reason: str
    user: str

    @property
    def drained(self) -> bool:
        """Return whether the node was to take no further job, and not just gone."""
        return bool(self.states & {"DRAIN", "DRAINED", "DRAINING"})


def parse(content: Content) -> Parsed[tuple[SlurmEvent, ...]]:
    """Return the events of nodes, in the order of the text; those of the cluster have no node."""
    reader = Reader(content)
    found = []
    for line in reader:
        match = _EVENT.fullmatch(line)
        if match is None:
            reader.unknown(line)
            continue
        if not match["node"]:
            continue
        found.append(
            SlurmEvent(
                node=match["node"],
                start=int(match["start"]),
                end=None if match["end"] == "Unknown" else int(match["end"]),
                states=frozenset(one.rstrip("*~#!%$@^-") for one in match["state"].split("+")),
                reason=printable(match["reason"], 200),
                user=printable(match["user"]),
            )
        )
    return reader.outcome(tuple(found))
