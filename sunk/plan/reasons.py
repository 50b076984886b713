"""Reasons that the bridge writes beside a drain, and how it knows its own again.

A reason is ``sunk <cause>: <detail> [<seal>]``. The seal is computed from node, cause and detail:
a reason that somebody typed, edited or copied from another node does not carry the right one, and
then the drain is that person's and is never lifted by us. Nothing has to be remembered.
"""

from __future__ import annotations

import hashlib
import re
from enum import StrEnum

from sunk.model.slurm import NodeName

POD_STOPS = "sunk: Pod stops"
"""Written by the hook of a worker that stops, `templates/slurm/drain.sh`; without a seal."""
_SEAL_DIGITS = 6
_DETAIL_LIMIT = 160
"""Characters of a detail; slurmctld and its clients handle longer reasons badly."""
_FORM = re.compile(r"sunk (?P<cause>[a-z-]+): (?P<detail>.*) \[(?P<seal>[0-9a-f]+)\]")


class Cause(StrEnum):
    """Why the bridge drained a node or took it down."""

    CORDON = "cordon"
    SCALE_IN = "scale-in"
    NODE_SET_GONE = "node-set-gone"
    POD_LOST = "pod-lost"
    UPDATE = "update"

    @property
    def leaving(self) -> bool:
        """Whether the worker is on its way out, rather than held where it is."""
        return self in {Cause.SCALE_IN, Cause.NODE_SET_GONE, Cause.UPDATE}


def write_reason(cause: Cause, node: NodeName, detail: str) -> str:
    """Return the reason text; control characters and other surprises in `detail` are replaced."""
    plain = "".join(one if one.isascii() and one.isprintable() else "?" for one in detail)
    plain = " ".join(plain.split())[:_DETAIL_LIMIT].strip()
    return f"sunk {cause}: {plain} [{_seal(cause, node, plain)}]"


def own_cause(node: NodeName, reason: str) -> Cause | None:
    """Return the cause of a reason that we wrote for this node and nobody changed, else None."""
    found = _FORM.fullmatch(reason)
    if found is None or found["cause"] not in set(Cause):
        return None
    cause = Cause(found["cause"])
    return cause if found["seal"] == _seal(cause, node, found["detail"]) else None


def _seal(cause: Cause, node: NodeName, detail: str) -> str:
    text = "\0".join((cause, node, detail)).encode()
    return hashlib.sha256(text).hexdigest()[:_SEAL_DIGITS]
