"""mlxlink -d DEVICE -m -c -e --json: a port's link, bit errors and module.

A line ``# DEVICE`` stands before each device's text, as ``sunk fabric collect`` writes it.
Numbers are texts in this tool's JSON; units stand in the keys.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from sunk_fabric.parse.text import Content, Parsed, Reader, printable

_HEAD = re.compile(r"# ([\w.:@-]{1,64})")
_NUMBER = re.compile(r"-?\d{1,12}(?:\.\d{1,12})?(?:[eE][+-]?\d{1,3})?")
_RANGE = re.compile(
    r"(-?\d{1,6}(?:\.\d{1,6})?)[\d.,\s-]{0,200}\[(-?\d{1,6}(?:\.\d{1,6})?)\s?\.\.\s?(-?\d{1,6}(?:\.\d{1,6})?)\]"
)
_GOOD = frozenset({"", "N/A", "0", "No", "[None]", "None", "FALSE", "False"})
FAULTS = (
    *("Module FW Fault", "DataPath FW Fault", "Tx Fault", "LOS", "Rx LOS", "Tx LOS"),
    "Rx LOS [per lane]",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkReport:
    """One port.

    Attributes:
        state: ``Active``.
        minutes: since counters were cleared; nothing when not told.
        symbol_ber: errors per bit after correction; nothing when not told.
        effective_ber: errors per bit before the last correction; nothing when not told.
        raw_ber: errors per bit on the wire; nothing when not told.
        speed_gbit_per_s: of the port, from its name such as IB-NDR and width; nothing if unknown.
        faults: flags of the module that are set, in the tool's words.
        outside: values out of their range, in the tool's words.
        measured: how many values of the module had a range.
    """

    state: str = ""
    minutes: float | None = None
    symbol_ber: float | None = None
    effective_ber: float | None = None
    raw_ber: float | None = None
    speed_gbit_per_s: float | None = None
    faults: tuple[str, ...] = ()
    outside: tuple[str, ...] = ()
    measured: int = 0


_SPEEDS = {"EDR": 25, "HDR": 50, "NDR": 100, "XDR": 200}
_ETHERNET = re.compile(r"(\d{1,4})G(?:_\dX|bE)?")


def parse(content: Content) -> Parsed[Mapping[str, LinkReport]]:
    """Return device -> report; a device whose text is no JSON of this tool is damage."""
    reader = Reader(content)
    texts: dict[str, list[str]] = {}
    here: list[str] | None = None
    for line in reader:
        head = _HEAD.fullmatch(line)
        if head:
            here = texts.setdefault(head[1], [])
        elif here is None:
            reader.unknown(line)
        else:
            here.append(line)
    found = {}
    for name, lines in texts.items():
        try:
            tree = msgspec.json.decode("\n".join(lines), type=dict[str, Any])
            found[name] = _report(tree)
        except (msgspec.MsgspecError, RecursionError, ValueError, KeyError, TypeError) as exc:
            reader.damaged(f"{name}: not the JSON of this tool: {printable(str(exc), 80)}")
    return reader.outcome(found)


def _report(tree: dict[str, Any]) -> LinkReport:
    sections: dict[str, dict[str, Any]] = {
        name: one for name, one in tree["result"]["output"].items() if isinstance(one, dict)
    }
    link = sections["Operational Info"]
    errors = sections.get("Physical Counters and BER Info", {})
    module = sections.get("Module Info", {})
    rows = [(name, text) for name, value in module.items() for text in _texts(value)]
    ranges = [(name, text, _RANGE.match(text)) for name, text in rows]
    return LinkReport(
        state=printable(str(link.get("State", "")), 40),
        minutes=_number(errors.get("Time Since Last Clear [Min]")),
        symbol_ber=_number(errors.get("Symbol BER")),
        effective_ber=_number(errors.get("Effective Physical BER")),
        raw_ber=_number(errors.get("Raw Physical BER")),
        speed_gbit_per_s=_speed(str(link.get("Speed", "")), str(link.get("Width", ""))),
        faults=tuple(
            printable(f"{name}: {text}", 80)
            for name, text in rows
            if name in FAULTS and text.strip() not in _GOOD
        ),
        outside=tuple(
            printable(f"{name}: {text}", 80)
            for name, text, match in ranges
            if match and not float(match[2]) <= float(match[1]) <= float(match[3])
        ),
        measured=sum(match is not None for *_, match in ranges),
    )


def _texts(value: Any) -> Iterator[str]:
    """Yield the texts of a value, which is one, or an object with a list of them."""
    if isinstance(value, dict):
        listed = value.get("values", [])
        yield from (str(one) for one in listed if isinstance(listed, list))
    else:
        yield str(value)


def _number(value: Any) -> float | None:
    text = str(value).strip()
    return float(text) if _NUMBER.fullmatch(text) else None


def _speed(speed: str, width: str) -> float | None:
    lane = _SPEEDS.get(speed.removeprefix("IB-"))
    lanes = re.fullmatch(r"(\d{1,2})[xX]", width)
    if lane and lanes:
        return float(lane * int(lanes[1]))
    whole = _ETHERNET.fullmatch(speed)
    return float(whole[1]) if whole else None
