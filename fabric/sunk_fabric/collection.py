"""The record of a collection: what came of every host."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

NAME = "collection"
"""Format of the record, which is an evidence like the others."""


class Outcome(StrEnum):
    """What came of one host."""

    COLLECTED = "collected"
    PARTLY = "partly"
    UNREACHABLE = "unreachable"
    NOT_ASKED = "not asked"


@dataclass(frozen=True, slots=True, kw_only=True)
class HostRecord:
    """One host.

    Attributes:
        host: as the user calls it.
        outcome: what came of it.
        reason: at which step it failed, a word of `sunk.model.reach.Reason`; empty if it did not.
        words: the same at length, with what to do.
        over: how it was reached, such as ``ssh``.
        called: what it calls itself; empty when it did not say.
        clock_seconds: how far its clock is ahead of the collector's; nothing when it did not say.
        at: when it was tried last, in UTC.
        missing: names of the texts that are not there whole, sorted.
        pod: whether it is a Pod, asked for what it was given.
    """

    host: str
    outcome: Outcome
    reason: str = ""
    words: str = ""
    over: str = ""
    called: str = ""
    clock_seconds: int | None = None
    at: str = ""
    missing: tuple[str, ...] = ()
    pod: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """One collection.

    Attributes:
        collector: program and version.
        began: in UTC.
        ended: in UTC.
        interrupted: whether it was stopped before its end.
        hosts: sorted by name.
        fabric_from: the host that asked about the whole fabric; empty when none did.
        notes: what else somebody should know, in words.
    """

    collector: str
    began: str
    ended: str
    interrupted: bool = False
    hosts: tuple[HostRecord, ...] = ()
    fabric_from: str = ""
    notes: tuple[str, ...] = ()

    @property
    def whole(self) -> bool:
        """Return whether every host was collected."""
        return all(one.outcome is Outcome.COLLECTED for one in self.hosts)
