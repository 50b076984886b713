"""What can be wrong with a fabric's cables, one cause each."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sunk_fabric.topology.parts import Link


class DefectKind(StrEnum):
    """Classes of causes."""

    BAD_DESCRIPTION = "bad description"
    DEGRADED = "degraded"
    DUPLICATE_GUID = "duplicate GUID"
    ENDS_DISAGREE = "ends disagree"
    EXTRA_LINK = "extra link"
    HOSTS_EXCHANGED = "hosts exchanged"
    HOST_ON_SPINE = "host on a spine"
    LOOP = "loop"
    MISSING_HCA = "missing adapter"
    MISSING_HOST = "missing host"
    MISSING_LEAF = "missing leaf"
    MISSING_LINK = "missing link"
    MISSING_SWITCH = "missing switch"
    MOVED_LINK = "moved link"
    RENAMED = "renamed"
    SAME_LEVEL = "same level"
    SWAPPED_HCAS = "swapped adapters"
    SWAPPED_LINKS = "swapped links"
    UNLIKE_PLANES = "unlike planes"
    WRONG_RAIL = "wrong rail"
    WRONG_UNIT = "wrong scalable unit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Defect:
    """One cause.

    Attributes:
        kind: its class.
        subject: what it is at, as a path.
        found: what was seen, in words.
        remedy: the step that mends it, in words of a data centre.
        touches: further subjects, such as the far end.
        links: cables that it explains.
    """

    kind: DefectKind
    subject: str
    found: str
    remedy: str
    touches: tuple[str, ...] = ()
    links: tuple[Link, ...] = ()
