"""Checks without a judge function, and why: each is UNKNOWN, never PASS."""

from __future__ import annotations

from collections.abc import Mapping

_DRILL = "needs somebody to break a part on purpose; no text that was collected shows it"
_UFM = "told by the vendor's fabric manager alone, which is not asked"

WHY: Mapping[str, str] = {
    "accept.cost": "the plan's own ledger tells it; the fabric's texts do not",
    "accept.failure.link": _DRILL,
    "accept.failure.manager": _DRILL,
    "accept.failure.node": _DRILL,
    "accept.operator": "people sign it; no machine tells",
    "accept.upgrade": "compares two bundles; one folder is one of them",
    "ib.ar.enabled": (
        "told by the switches' own tables, as in ibdiagnet2.far, which has no parser; ar=1 in"
        " NCCL's log is its own setting"
    ),
    "ib.congestion": "how long one tick of PortXmitWait is, ports do not tell",
    "sharp.failover": _DRILL,
    "sharp.reservation": _UFM,
}
"""Check -> what is missing for a judge function."""
