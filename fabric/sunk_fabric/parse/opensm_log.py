"""The log of opensm: routing engine, whether the subnet is up, GUIDs that it met twice."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sunk_fabric.parse.text import Content, Parsed, Reader, guid


@dataclass(frozen=True, slots=True, order=True)
class Duplicate:
    """A GUID that two nodes have.

    Attributes:
        guid: theirs.
        places: both ports that lead to one of them, as (GUID of the switch, port).
    """

    guid: str
    places: tuple[tuple[str, int], tuple[str, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpensmLog:
    """What the log says.

    Attributes:
        engines: routing engines in the order in which they configured all switches.
        subnet_up: how often the subnet came up.
        errors: how many lines are errors of opensm.
        state: the manager's own, as it last said: ``MASTER``, ``STANDBY``; empty when not told.
        duplicates: GUIDs at two places, each once, sorted; those of the last sweeps only: what was
            met before the subnet came up again is mended.
    """

    engines: tuple[str, ...]
    subnet_up: int
    errors: int
    state: str
    duplicates: tuple[Duplicate, ...]


_LINE = re.compile(r"[A-Z][a-z]{2} +\d{1,2} [0-9:]{8} \d{1,6} \[[0-9A-F]{1,16}\] 0x\w{1,2} -> (.*)")
_ENGINE = re.compile(r".{0,60}?(\w{1,20}) tables configured on all switches.*")

_STATE = re.compile(r"Entering (\w{1,20}) state.*")
_DUPLICATE = re.compile(
    r"Node 0x([0-9a-f]{1,16}) port \d{1,3} is reachable from remote node 0x([0-9a-f]{1,16}) port"
    r" (\d{1,3}) and remote node 0x([0-9a-f]{1,16}) port (\d{1,3})\."
)
"""The second line of error 0D01; the first one says that it is about a node's GUID."""


def parse(content: Content) -> Parsed[OpensmLog]:
    """Return the engines; lines about other things are opensm's and no concern of ours."""
    reader = Reader(content)
    engines, up, errors, own, state = [], 0, 0, 0, ""
    duplicates: set[Duplicate] = set()
    for line in reader:
        twice = _DUPLICATE.fullmatch(line)
        if twice:
            places = sorted([(guid(twice[2]), int(twice[3])), (guid(twice[4]), int(twice[5]))])
            duplicates.add(Duplicate(guid(twice[1]), (places[0], places[1])))
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            continue
        own += 1
        engine = _ENGINE.fullmatch(match[1])
        if engine:
            engines.append(engine[1])
        if "SUBNET UP" in match[1]:
            up += 1
            duplicates.clear()
        entering = _STATE.fullmatch(match[1])
        state = entering[1] if entering else state
        errors += ": ERR " in match[1]
    if reader.number and not own:
        reader.damaged("no line of opensm's log")
    return reader.outcome(
        OpensmLog(
            engines=tuple(engines),
            subnet_up=up,
            errors=errors,
            state=state,
            duplicates=tuple(sorted(duplicates)),
        )
    )
