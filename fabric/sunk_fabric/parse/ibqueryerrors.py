"""ibqueryerrors: error counters of a whole subnet, with a summary that proves it ran to its end."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from sunk_fabric.parse.text import Content, Parsed, Reader, guid, printable


@dataclass(frozen=True, slots=True)
class PortErrors:
    """Counters of one port beyond the tool's thresholds.

    Attributes:
        guid: of the node or port, as printed.
        description: the node's, safe to show.
        port: its number.
        counters: infiniband-diags' names.
    """

    guid: str
    description: str
    port: int
    counters: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Errors:
    """What one run found.

    Attributes:
        ports: single ports; the line that sums them up is left out, as it would count twice.
        nodes_checked: from the summary; nothing when it is missing.
        ports_checked: from the summary; nothing when it is missing.
        thresholds: what the tool was told, as printed.
        suppressed: counters that it was told to leave out, as printed.
    """

    ports: tuple[PortErrors, ...]
    nodes_checked: int | None
    ports_checked: int | None
    thresholds: str
    suppressed: str


_NODE = re.compile(r'Errors for (?:(0x[0-9a-fA-F]{1,16}) )?"(.*)"')
_PORT = re.compile(
    r" +GUID (0x[0-9a-fA-F]{1,16}) port (ALL|\d{1,5}):((?: \[\w+ == \d{1,20}(?: \([^()]*\))?\])+)"
)
_COUNTER = re.compile(r"\[(\w+) == (\d{1,20})")
_SUMMARY = re.compile(r"## Summary: (\d{1,9}) nodes checked, (\d{1,9}) bad nodes found")
_PORTS = re.compile(r"## +(\d{1,9}) ports checked, (\d{1,9}) ports have errors beyond threshold")


def parse(content: Content) -> Parsed[Errors]:
    """Return the errors; a text without its summary is damaged, whatever the exit code was."""
    reader = Reader(content)
    ports: list[PortErrors] = []
    description = ""
    told: dict[str, int | str] = {}
    for line in reader:
        node, port = _NODE.fullmatch(line), _PORT.fullmatch(line)
        if node:
            description = reader.description(node[2])
        elif port:
            if port[2] != "ALL":
                counters = {name: int(value) for name, value in _COUNTER.findall(port[3])}
                ports.append(PortErrors(guid(port[1]), description, int(port[2]), counters))
        elif not _summary(line, told) and line.strip() and not line.startswith("       Link info:"):
            reader.unknown(line)
    if "nodes" not in told or "ports" not in told:
        reader.damaged("there is no summary: the tool did not get to its end")
    elif told["bad ports"] != len({(one.guid, one.port) for one in ports}):
        reader.damaged(
            f"the summary counts {told['bad ports']} ports with errors, not {len(ports)}"
        )
    return reader.outcome(
        Errors(
            ports=tuple(ports),
            nodes_checked=_number(told.get("nodes")),
            ports_checked=_number(told.get("ports")),
            thresholds=str(told.get("thresholds", "")),
            suppressed=str(told.get("suppressed", "")),
        )
    )


def _number(value: int | str | None) -> int | None:
    return value if isinstance(value, int) else None


def _summary(line: str, told: dict[str, int | str]) -> bool:
    first, second = _SUMMARY.fullmatch(line), _PORTS.fullmatch(line)
    if first:
        told["nodes"] = int(first[1])
    elif second:
        told["ports"], told["bad ports"] = int(second[1]), int(second[2])
    elif line.startswith("## Thresholds:"):
        told["thresholds"] = printable(line.removeprefix("## Thresholds:").strip(), 400)
    elif line.startswith("## Suppressed:"):
        told["suppressed"] = printable(line.removeprefix("## Suppressed:").strip(), 400)
    else:
        return False
    return True
