"""sminfo: the subnet manager that answers, on one line; or that none does."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sunk_fabric.parse.text import Content, Parsed, Reader, guid

MASTER = 3
"""SMState of the manager that rules; InfiniBand architecture, SMInfo."""


@dataclass(frozen=True, slots=True)
class SubnetManager:
    """One answer.

    Attributes:
        lid: where it lives.
        guid: of its port.
        activity_count: grows while it is alive.
        priority: 0 to 15.
        state: 0 not active, 1 discovering, 2 standby, 3 master.
    """

    lid: int
    guid: str
    activity_count: int
    priority: int
    state: int


_LINE = re.compile(
    r"sminfo: sm lid (\d{1,5}) sm guid (0x[0-9a-fA-F]{1,16}), activity count (\d{1,10})"
    r" priority (\d{1,2}) state (\d) \w+"
)


_SILENCE = "sminfo: iberror: failed: query"
"""What it prints when the port has a manager's LID and nobody answers there; it ends with 255."""


def parse(content: Content) -> Parsed[tuple[SubnetManager, ...]]:
    """Return one answer for every line: two taken one after the other show whether it lives.

    A text that says that nobody answered is sound and has none.
    """
    reader = Reader(content)
    found = []
    for line in reader:
        match = _LINE.fullmatch(line.rstrip())
        if match:
            lid, name, activity, priority, state = match.groups()
            found.append(
                SubnetManager(int(lid), guid(name), int(activity), int(priority), int(state))
            )
        elif line.strip() not in {"", _SILENCE}:
            reader.unknown(line)
    return reader.outcome(tuple(found))
