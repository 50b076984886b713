"""opensm.conf: what the subnet manager of a host was told."""

from __future__ import annotations

import re
from collections.abc import Mapping

from sunk_fabric.parse.text import Content, Parsed, Reader, printable

NOT_HERE = "no opensm runs here"
"""What the question prints on a host without a subnet manager."""
NOT_SET = "(null)"
_SETTING = re.compile(r"([a-z][a-z0-9_]{1,60})\s+(\S.{0,2000})?")
_KNOWN = frozenset(
    {"guid", "log_file", "routing_engine", "shield_mode", "sm_priority", "subnet_prefix"}
)
"""Settings of which every file has one; others are told by other programs too."""


def parse(content: Content) -> Parsed[Mapping[str, str]]:
    """Return setting -> value; nothing where no subnet manager runs."""
    reader = Reader(content)
    settings: dict[str, str] = {}
    silent = False
    for line in reader:
        setting = _SETTING.fullmatch(line.rstrip() + " ")
        if line.strip() == NOT_HERE:
            silent = True
        elif setting and setting[1] in settings:
            reader.damaged(f"{setting[1]} is told twice")
        elif setting:
            settings[setting[1]] = printable((setting[2] or "").strip(), 400)
        elif line.strip() and not line.startswith("#"):
            reader.unknown(line)
    if silent == bool(settings) or (settings and not _KNOWN & settings.keys()):
        reader.damaged("these are not the settings of a subnet manager")
    return reader.outcome(settings)
