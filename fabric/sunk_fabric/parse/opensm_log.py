"""The log of opensm: which routing engine configured the switches, and whether the subnet is up."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sunk_fabric.parse.text import Content, Parsed, Reader


@dataclass(frozen=True, slots=True, kw_only=True)
class OpensmLog:
    """What the log says.

    Attributes:
        engines: routing engines in the order in which they configured all switches.
        subnet_up: how often the subnet came up.
        errors: how many lines are errors of opensm.
    """

    engines: tuple[str, ...]
    subnet_up: int
    errors: int


_LINE = re.compile(r"[A-Z][a-z]{2} +\d{1,2} [0-9:]{8} \d{1,6} \[[0-9A-F]{1,16}\] 0x\w{1,2} -> (.*)")
_ENGINE = re.compile(r".{0,60}?(\w{1,20}) tables configured on all switches.*")


def parse(content: Content) -> Parsed[OpensmLog]:
    """Return the engines; lines about other things are opensm's and no concern of ours."""
    reader = Reader(content)
    engines, up, errors, own = [], 0, 0, 0
    for line in reader:
        match = _LINE.fullmatch(line)
        if match is None:
            continue
        own += 1
        engine = _ENGINE.fullmatch(match[1])
        if engine:
            engines.append(engine[1])
        up += "SUBNET UP" in match[1]
        errors += ": ERR " in match[1]
    if reader.number and not own:
        reader.damaged("no line of opensm's log")
    return reader.outcome(OpensmLog(engines=tuple(engines), subnet_up=up, errors=errors))
