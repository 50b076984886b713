"""mlnx_qos -i NETDEV: what a network device trusts, and which priorities it pauses.

A line ``# NETDEV`` stands before each device's text, as ``sunk fabric collect`` writes it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from sunk_fabric.parse.text import Content, Parsed, Reader

_HEAD = re.compile(r"# ([\w.@-]{1,64})")
_TRUST = re.compile(r"Priority trust state: (\w{1,16})")
_DSCP = re.compile(r"\s+prio:(\d) dscp:((?:\d{2},){1,64})\s*")
_ENABLED = re.compile(r"\s+enabled\s+((?:[01]\s+){7}[01])\s*")
_OTHER = re.compile(
    r"DCBX mode: .{0,60}|dscp2prio mapping:|Receive buffer size \(bytes\): .{0,200}|Cable len: \d+"
    r"|PFC configuration:|\s+(?:priority|buffer)\s[\s\d]{1,60}|tc: \d .{0,100}|\s+priority:\s+\d\s*"
    r"|(?:total_size=\d+)|default priority:|Priority trust mode.{0,60}|\s*"
)


@dataclass(slots=True)
class Quality:
    """What one network device does with classes of traffic.

    Attributes:
        trust: ``dscp`` or ``pcp``; empty when not told.
        priorities: DSCP -> priority.
        paused: priorities with flow control; nothing when not told.
    """

    trust: str = ""
    priorities: dict[int, int] = field(default_factory=dict)
    paused: tuple[int, ...] | None = None


def parse(content: Content) -> Parsed[Mapping[str, Quality]]:
    """Return network device -> what it does; text before the first head is damage."""
    reader = Reader(content)
    found: dict[str, Quality] = {}
    one: Quality | None = None
    for line in reader:
        head = _HEAD.fullmatch(line)
        if head:
            one = found.setdefault(head[1], Quality())
        elif one is None or not _take(one, line):
            reader.unknown(line)
    for name, device in found.items():
        if not device.trust or device.paused is None:
            reader.damaged(f"what {name} trusts or pauses is not told")
    return reader.outcome(found)


def _take(one: Quality, line: str) -> bool:
    if match := _TRUST.fullmatch(line):
        one.trust = match[1]
    elif match := _DSCP.fullmatch(line):
        for value in match[2].rstrip(",").split(","):
            one.priorities[int(value)] = int(match[1])
    elif match := _ENABLED.fullmatch(line):
        one.paused = tuple(at for at, on in enumerate(match[1].split()) if on == "1")
    else:
        return _OTHER.fullmatch(line) is not None
    return True
