"""Which of several bridges acts: what to do about the lease; pure.

A record is only ever compared with the record before. When its holder wrote it is the holder's word
in the holder's time, and is not looked at: it expires when it has not changed for its duration,
counted on our own clock from when we saw it change last. So clocks that differ do no harm, and
clocks that run at different speeds do none as long as `Timing.renew_within_seconds` of the one is
shorter than `Timing.lease_seconds` of the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How long things may take; the defaults are those of Kubernetes' own controllers.

    Attributes:
        lease_seconds: a record that has not changed for this long is free.
        renew_within_seconds: a holder that could not renew for this long acts no more.
        retry_seconds: between attempts.
    """

    lease_seconds: float = 15.0
    renew_within_seconds: float = 10.0
    retry_seconds: float = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What the lease says.

    Attributes:
        version: the object's resourceVersion.
        holder: whose it is; empty when it was given back, or is nobody's yet.
        lease_seconds: how long the holder may be silent.
        renewed: when the holder wrote it, in the holder's words; tells records apart.
        transitions: how often the holder changed.
    """

    version: str
    holder: str = ""
    lease_seconds: float = 0.0
    renewed: str = ""
    transitions: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The last look at the lease.

    Attributes:
        record: what it said; nothing when there is no lease.
        changed_at: when we saw it say something else last, in seconds of our clock.
        vanished_from: holder of a lease that somebody deleted; it may not know yet.
    """

    record: Record | None
    changed_at: float
    vanished_from: str = ""


class Move(StrEnum):
    """What to do about the lease."""

    CREATE = "create"
    TAKE = "take"
    RENEW = "renew"
    WAIT = "wait"


def look(before: Seen | None, record: Record | None, now: float) -> Seen:
    """Return what was seen, after one more look.

    Args:
        before: the look before.
        record: what the lease says.
        now: a moment after it was read: an earlier one would let it expire too early.
    """
    if before is not None and before.record == record:
        return before
    deleted = before.record if before is not None and record is None else None
    return Seen(record=record, changed_at=now, vanished_from=deleted.holder if deleted else "")


def decide(me: str, seen: Seen, now: float, timing: Timing) -> Move:
    """Return what `me` does about the lease."""
    record = seen.record
    silent = now - seen.changed_at
    if record is None:
        free = seen.vanished_from in {"", me} or silent > timing.lease_seconds
        return Move.CREATE if free else Move.WAIT
    if record.holder == me:
        return Move.RENEW
    free = not record.holder or silent > max(timing.lease_seconds, record.lease_seconds)
    return Move.TAKE if free else Move.WAIT
