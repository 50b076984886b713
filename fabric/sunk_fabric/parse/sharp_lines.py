"""Lines that SHARP's library prints into whatever text of the program that uses it.

Newer releases put the time between place and level.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_LINE = re.compile(
    r"\[(\S{1,255}):(\d{1,7}):\d{1,9} - [\w./-]{1,80}:\d{1,6}\](?:\[[0-9 :.-]{10,40}\])?"
    r"\s+([A-Z]{4,8})\s+(.*)"
)
_TREE = re.compile(r"(?:tree_info: type|(?:.{0,80} )?tree_type):(\w{1,12})\b.*")
_ERRORS = frozenset({"ERROR", "FATAL"})


@dataclass(frozen=True, slots=True)
class SharpLine:
    """One line.

    Attributes:
        host: that printed it.
        rank: in the job.
        level: ``INFO``, ``WARN``, ``ERROR``.
        text: what it says.
    """

    host: str
    rank: int
    level: str
    text: str

    @property
    def is_error(self) -> bool:
        """Return whether it says that something went wrong."""
        return self.level in _ERRORS

    @property
    def tree(self) -> str:
        """Return the kind of a tree that the job got, ``LLT`` or ``SAT``; empty for other lines."""
        if self.text.startswith("[group#"):
            return ""
        found = _TREE.fullmatch(self.text)
        return found[1] if found else ""


def sharp_line(line: str) -> SharpLine | None:
    """Return the line as SHARP's; nothing for one of others."""
    found = _LINE.fullmatch(line)
    return SharpLine(found[1], int(found[2]), found[3], found[4]) if found else None
