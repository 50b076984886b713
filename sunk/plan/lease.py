"""Which of several bridges acts: what to do about the lease; pure.

A record is only ever compared with the record before. When its holder wrote it is the holder's word
in the holder's time, and is not looked at: it expires when it has not changed for its duration,
counted on our own clock from when we saw it change last. So clocks that differ do no harm, and
clocks that run at different speeds do none as long as `Timing.renew_within_seconds` of the one is
shorter than `Timing.lease_seconds` of the other.

One thing nobody can know: whether a lease that was never seen was there a moment ago. Who starts
within the time of a lease that a person has just deleted makes a new one at once, as the electors
of Kubernetes itself do; the old holder gives up when it cannot renew its own.
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
        vanished: the lease that somebody deleted, as it was seen last; its holder may not know yet,
            and others may have held it since.
        vanished_age_seconds: how long that had not changed when it was found gone.
    """

    record: Record | None
    changed_at: float
    vanished: Record | None = None
    vanished_age_seconds: float = 0.0


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
    if before is None or record is not None:
        return Seen(record=record, changed_at=now)
    age_seconds = now - before.changed_at
    return Seen(
        record=None, changed_at=now, vanished=before.record, vanished_age_seconds=age_seconds
    )


def decide(me: str, seen: Seen, now: float, timing: Timing) -> Move:
    """Return what `me` does about the lease."""
    record = seen.record
    silent = now - seen.changed_at
    if record is None:
        free = _was_ours(me, seen, timing) or silent > timing.lease_seconds
        return Move.CREATE if free else Move.WAIT
    if record.holder == me:
        return Move.RENEW
    free = not record.holder or silent > max(timing.lease_seconds, record.lease_seconds)
    return Move.TAKE if free else Move.WAIT


def _was_ours(me: str, seen: Seen, timing: Timing) -> bool:
    """Return whether a lease that is not there can have been nobody's but ours.

    One that we held and renewed so lately that nobody could take it; or none that we ever saw.
    """
    gone = seen.vanished
    if gone is None:
        return True
    return gone.holder == me and seen.vanished_age_seconds <= timing.renew_within_seconds
