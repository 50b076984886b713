"""rping -v: a client's transfers over a connection of the RDMA connection manager."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sunk_fabric.parse.text import Content, Parsed, Reader, printable


@dataclass(frozen=True, slots=True)
class Pings:
    """One run.

    Attributes:
        count: transfers that came back whole.
        errors: what went wrong, in the order of the text, safe to show.
    """

    count: int
    errors: tuple[str, ...]


_PING = re.compile(r"(?:server )?ping data: rdma-ping-\d{1,9}: .{0,4000}")
_ERROR = re.compile(
    r"cma event (?!RDMA_CM_EVENT_(?:ADDR_RESOLVED|ROUTE_RESOLVED|ESTABLISHED))\w{4,40}, .{1,80}"
    r"|(?:rdma|ibv)_\w{3,40}(?: error|: .{1,80}| .{1,80})?|connect error.{0,80}|wait for .{1,80}"
    r"|waiting for .{1,80}|cq completion (?:in|failed).{0,80}|data mismatch.{0,80}"
)
_QUIET = re.compile(
    r"(?:client|server) DISCONNECT EVENT\.\.\.|verbose|client|count \d{1,9}|size \d{1,9}"
)
ERRORS_LIMIT = 100


def parse(content: Content) -> Parsed[Pings]:
    """Return how many came back; a text that tells of neither is damage."""
    reader = Reader(content)
    count = 0
    errors: list[str] = []
    for line in reader:
        if _PING.fullmatch(line):
            count += 1
        elif _ERROR.fullmatch(line):
            if len(errors) < ERRORS_LIMIT:
                errors.append(printable(line))
        elif line.strip() and not _QUIET.fullmatch(line.strip()):
            reader.unknown(line)
    if not count and not errors:
        reader.damaged("no transfer and no error is told of")
    return reader.outcome(Pings(count, tuple(errors)))
