"""``gdscheck -p``: which file systems read straight into GPU memory."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from sunk_fabric.parse.text import Content, Parsed, Reader, printable

_SECTION = re.compile(r" ?([A-Z][A-Z ]{2,40}): *")
_RULE = re.compile(r" ?={5,60} *")
_SETTING = re.compile(r" {0,2}-{0,2}([A-Za-z][\w. -]{0,80}?) *: *(\S.{0,400})?")
_GPU = re.compile(r" ?GPU index \d{1,4} .{1,400}")
_ENDED = re.compile(r" ?Platform verification (succeeded|failed.{0,200}) *")
DRIVERS, CONFIGURATION = "DRIVER CONFIGURATION", "CUFILE CONFIGURATION"


@dataclass(frozen=True, slots=True, kw_only=True)
class Direct:
    """What the tool says.

    Attributes:
        drivers: file system, in its words -> ``Supported``: ``NFS``, ``WekaFS``.
        forced: whether everything goes through host memory all the same.
        verified: whether the platform was found fit.
    """

    drivers: Mapping[str, str]
    forced: bool
    verified: bool


def parse(content: Content) -> Parsed[Direct]:
    """Return what the tool says; a text without its last line is damage."""
    reader = Reader(content)
    section, ended = "", ""
    found: dict[str, dict[str, str]] = {DRIVERS: {}, CONFIGURATION: {}}
    for line in reader:
        title, setting = _SECTION.fullmatch(line), _SETTING.fullmatch(line)
        verdict = _ENDED.fullmatch(line)
        if verdict:
            ended = verdict[1]
        elif title:
            section = title[1]
        elif setting and section in found:
            found[section][setting[1]] = printable((setting[2] or "").strip(), 80)
        elif line.strip() and not (setting or _RULE.fullmatch(line) or _GPU.fullmatch(line)):
            reader.unknown(line)
    if not found[DRIVERS]:
        reader.damaged("it tells of no file system")
    if not ended:
        reader.damaged("it does not end with whether the platform is fit")
    forced = found[CONFIGURATION].get("properties.force_compat_mode", "") == "true"
    return reader.outcome(
        Direct(drivers=found[DRIVERS], forced=forced, verified=ended == "succeeded")
    )
