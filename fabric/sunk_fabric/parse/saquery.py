"""saquery: records of the subnet administrator, such as ``PathRecord dump:``."""

from __future__ import annotations

import re
from collections.abc import Iterable

from sunk_fabric.parse.dotted import Record, records
from sunk_fabric.parse.text import Content, Parsed, Reader

_TITLE = re.compile(r"(\w+)(?: dump| Record dump)?:?(?: dump:)?")
_HEADINGS = frozenset({"IsSM ports", "IsSMdisabled ports"})
_MASK = re.compile(r"0x[0-9a-fA-F]{1,8}")
IS_SM = 1 << 1
"""Of a port's capability mask; InfiniBand architecture, PortInfo."""
_CODE = re.compile(r"0x([0-9a-fA-F]{1,2})")

RATE_GBIT_PER_S = {
    2: 2.5,
    3: 10,
    4: 30,
    5: 5,
    6: 20,
    7: 40,
    8: 60,
    9: 80,
    10: 120,
    11: 14,
    12: 56,
    13: 112,
    14: 168,
    15: 25,
    16: 100,
    17: 200,
    18: 300,
    19: 28,
    20: 50,
    21: 400,
    22: 600,
    23: 800,
    24: 1200,
}
"""Rate code of a path -> 10⁹ bits per second; InfiniBand architecture, PathRecord."""

MTU_BYTES = {1: 256, 2: 512, 3: 1024, 4: 2048, 5: 4096}
"""MTU code of a path -> bytes."""


def parse(content: Content) -> Parsed[tuple[Record, ...]]:
    """Return every record; its title is the kind, such as ``PathRecord``."""
    reader = Reader(content)
    return reader.outcome(records(reader, _TITLE, _HEADINGS))


def manager_lids(found: Iterable[Record]) -> frozenset[int]:
    """Return the LIDs of ports that say that they run a subnet manager, of ``saquery -s``."""
    return frozenset(
        int(one.values["EndPortLid"])
        for one in found
        if one.values.get("EndPortLid", "").isdecimal()
        and _number(one.values.get("capability_mask", "")) & IS_SM
    )


def _number(text: str) -> int:
    return int(text, 16) if _MASK.fullmatch(text) else 0


def rate_gbit_per_s(text: str) -> float | None:
    """Return the rate that a PathRecord's ``rate`` means (two selector bits, then the code)."""
    return RATE_GBIT_PER_S.get(_code(text))


def mtu_bytes(text: str) -> int | None:
    """Return the MTU that a PathRecord's ``mtu`` means (two selector bits, then the code)."""
    return MTU_BYTES.get(_code(text))


def _code(text: str) -> int:
    found = _CODE.fullmatch(text.partition(" ")[0])
    return int(found[1], 16) & 0x3F if found else 0
