"""Leads or stands by: the lease in Kubernetes, and whether we may act right now.

What to do is decided in `sunk.plan.lease`. Every write carries the version that was read, so that
of two bridges that take a free lease one gets a Conflict. We lead until a fixed time after the last
renewal was *sent*; another counts from when it saw that renewal, which is later, and for longer.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from structlog.typing import FilteringBoundLogger

from sunk.clients.kube.protocol import Kube
from sunk.errors import Conflict, NotFound, RemoteError
from sunk.model.kube import LEASE, KubeObject
from sunk.plan.lease import Move, Record, Seen, Timing, decide, look


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One stretch of leadership.

    Attributes:
        number: counted from 1 in this process; 0 before the first.
        until: when it ends unless it is renewed, in seconds of our clock.
    """

    number: int = 0
    until: float = float("-inf")


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidacy:
    """Who wants to lead what.

    Attributes:
        namespace: where the lease is.
        name: of the lease.
        identity: who we are; no two contenders, nor a process and its successor, share one.
        timing: how long things may take.
    """

    namespace: str
    name: str
    identity: str
    timing: Timing = field(default_factory=Timing)


class Elector:
    """One contender for a lease; one thread calls `tick`, any may ask.

    Args:
        kube: Kubernetes; its requests should be given up well before `Timing.lease_seconds`.
        candidacy: who wants to lead what.
        monotonic: seconds of a clock that never goes back, and goes on while a machine sleeps.
        wall: the time of day, for people who look at the lease.
        log: told when leadership changes and why it is not had.
    """

    def __init__(
        self,
        kube: Kube,
        candidacy: Candidacy,
        *,
        monotonic: Callable[[], float],
        wall: Callable[[], dt.datetime],
        log: FilteringBoundLogger,
    ) -> None:
        self._kube = kube
        self._namespace = candidacy.namespace
        self._name = candidacy.name
        self._identity = candidacy.identity
        self._timing = candidacy.timing
        self._monotonic = monotonic
        self._wall = wall
        self._log = log.bind(lease=candidacy.name, identity=candidacy.identity)
        self._seen: Seen | None = None
        self._lock = Lock()
        self._term = Term()
        self._told = ""
        self._works = False

    @property
    def works(self) -> bool:
        """Whether the lease could be read, and written where that was called for, even once."""
        return self._works

    def leads(self, term: int | None = None) -> bool:
        """Return whether we may act now.

        Args:
            term: only if leadership was never lost since it had this number.
        """
        with self._lock:
            return term in {None, self._term.number} and self._monotonic() < self._term.until

    @property
    def term(self) -> int:
        """The number of the current term, or of the last one."""
        with self._lock:
            return self._term.number

    def tick(self) -> float:
        """Look at the lease and do what is to be done; returns seconds until the next look."""
        try:
            record = self._read()
            self._seen = look(self._seen, record, self._monotonic())
            move = decide(self._identity, self._seen, self._monotonic(), self._timing)
            if move is Move.WAIT:
                self._step_down(f"held by {record.holder}" if record else "somebody deleted it")
            else:
                self._write(move, record)
            self._works = True
        except Conflict:
            self._tell("somebody else was faster")
        except RemoteError as exc:
            self._tell(exc.message, failed=True)
        return self._timing.retry_seconds

    def release(self) -> None:
        """Give the lease back, so that a successor need not wait; only once nothing acts any more.

        The thread that calls `tick` must have ended.
        """
        self._step_down("released")
        try:
            record = self._read()
            if record is None or record.holder != self._identity:
                return
            spec = {"holderIdentity": None, "leaseDurationSeconds": 1, "renewTime": self._stamp()}
            self._patch(record, spec)
        except RemoteError as exc:
            self._log.warning("lease not released; it expires by itself", why=exc.message)

    def _read(self) -> Record | None:
        try:
            return record_of(self._kube.get(LEASE, self._name, self._namespace))
        except NotFound:
            return None

    def _write(self, move: Move, record: Record | None) -> None:
        stamp = self._stamp()
        spec: dict[str, Any] = {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": int(self._timing.lease_seconds),
            "renewTime": stamp,
        }
        if move is not Move.RENEW:
            changes = 0 if record is None else record.transitions + 1
            spec |= {"acquireTime": stamp, "leaseTransitions": changes}
        sent = self._monotonic()
        if record is None:
            written = record_of(self._kube.create(self._object(spec)))
        else:
            written = self._patch(record, spec)
            if written.version == record.version:
                # Nobody can see a renewal that changed nothing: it does not count.
                self._tell("renewed in the very same words")
                return
        self._seen = look(self._seen, written, self._monotonic())
        self._lead(sent + self._timing.renew_within_seconds)

    def _patch(self, record: Record, spec: dict[str, Any]) -> Record:
        patch = {"metadata": {"resourceVersion": record.version}, "spec": spec}
        return record_of(self._kube.merge(LEASE, self._name, patch, self._namespace))

    def _object(self, spec: dict[str, Any]) -> KubeObject:
        meta = {"name": self._name, "namespace": self._namespace}
        return {
            "apiVersion": LEASE.api_version,
            "kind": LEASE.name,
            "metadata": meta,
            "spec": spec,
        }

    def _lead(self, until: float) -> None:
        with self._lock:
            # A term that had run out is over, even if nobody else led: whoever acted in it stops.
            lapsed = self._monotonic() >= self._term.until
            number = self._term.number + 1 if lapsed else self._term.number
            self._term = Term(number=number, until=until)
        self._told = ""
        if lapsed:
            self._log.info("leads", term=number)

    def _step_down(self, why: str) -> None:
        with self._lock:
            led = self._monotonic() < self._term.until
            self._term = Term(number=self._term.number)
        if led:
            self._log.info("leads no more", why=why)
        self._tell(why)

    def _tell(self, why: str, *, failed: bool = False) -> None:
        """Log once why we do not lead, or could not renew."""
        if why and why != self._told:
            self._log.log(logging.WARNING if failed else logging.INFO, "lease not had", why=why)
        self._told = why

    def _stamp(self) -> str:
        return self._wall().astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def record_of(lease: KubeObject) -> Record:
    """Return what a Lease says."""
    spec = lease.get("spec") or {}
    return Record(
        version=str(lease["metadata"].get("resourceVersion", "")),
        holder=str(spec.get("holderIdentity") or ""),
        lease_seconds=float(spec.get("leaseDurationSeconds") or 0),
        renewed=str(spec.get("renewTime") or ""),
        transitions=int(spec.get("leaseTransitions") or 0),
    )
