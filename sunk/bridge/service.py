"""The bridge as a service: leads or stands by, acts while it leads, ends cleanly when told to."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

from structlog.typing import FilteringBoundLogger

from sunk.bridge.fence import NotLeading
from sunk.bridge.health import Board
from sunk.bridge.lease import Elector
from sunk.bridge.loop import Bridge, Round
from sunk.bridge.metrics import Metrics
from sunk.bridge.waking import THE_TIME_CAME, Woken
from sunk.errors import ConfigError, RemoteError

LOOK_SECONDS = 0.2
"""How often it looks whether it leads, and whether it is to stop."""
BUILD_AGAIN_SECONDS = 5.0
"""How often it looks for a Slurm cluster to bridge, where there is none yet."""


class Rounds(Protocol):
    """Something that runs rounds: a `Bridge`."""

    def serve(self, stop: threading.Event) -> None:
        """Run rounds until `stop` is set."""


Build = Callable[[Callable[[], bool]], Rounds]
"""Makes a bridge. It is given a question that is to be asked before every write: may we act? It
raises ConfigError or RemoteError while there is nothing to bridge."""


class ReportedBridge(Bridge):
    """A bridge whose rounds are noted down.

    Args:
        board: for probes.
        metrics: for Prometheus.
        words: as of `Bridge`.
        options: as of `Bridge`.
    """

    def __init__(self, *words: Any, board: Board, metrics: Metrics, **options: Any) -> None:
        super().__init__(*words, **options)
        self._board = board
        self._metrics = metrics

    def round(self, woken: Woken = THE_TIME_CAME) -> Round:
        """Do a round and note it down."""
        self._board.beat()
        began = time.monotonic()
        made = super().round(woken)
        self._metrics.round_done(
            made, seconds=time.monotonic() - began, at_seconds=self._wall().timestamp()
        )
        self._board.ready()
        return made


class Service:
    """Runs a bridge whenever this process leads; each time a new one, which trusts nothing yet.

    Args:
        build: makes the bridge of a term.
        board: for probes.
        metrics: for Prometheus.
        log: told what happens.
        elector: whether we lead; always, when absent.
    """

    def __init__(
        self,
        build: Build,
        board: Board,
        metrics: Metrics,
        log: FilteringBoundLogger,
        *,
        elector: Elector | None = None,
    ) -> None:
        self._build = build
        self._board = board
        self._metrics = metrics
        self._elector = elector
        self._log = log
        self._failure: BaseException | None = None

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set; then end the round, and give the lease back.

        Raises:
            Exception: a bug of ours ended the bridge or the campaign.
        """
        if self._elector is None:
            self._serve(stop, lambda: True)
            return
        campaign_over = threading.Event()
        campaign = threading.Thread(
            target=self._campaign, args=(self._elector, campaign_over), name="campaign", daemon=True
        )
        campaign.start()
        try:
            while not stop.is_set():
                self._board.beat()
                if self._failure is not None:
                    raise self._failure
                if self._elector.leads():
                    term = self._elector.term
                    self._serve(stop, partial(self._elector.leads, term))
                else:
                    if self._elector.works:
                        self._board.ready()
                    stop.wait(LOOK_SECONDS)
        finally:
            # Renewed up to here, so that nobody else starts while a last round ends.
            campaign_over.set()
            campaign.join()
            self._elector.release()

    def _campaign(self, elector: Elector, over: threading.Event) -> None:
        try:
            while not over.is_set():
                over.wait(elector.tick())
        except BaseException as exc:  # noqa: BLE001 - raised by whoever runs the service
            self._failure = exc

    def _serve(self, stop: threading.Event, leads: Callable[[], bool]) -> None:
        """Serve one term: until `stop` is set or leadership is lost."""
        over = threading.Event()

        def watch() -> None:
            while not over.is_set():
                if stop.is_set() or not leads():
                    over.set()
                over.wait(LOOK_SECONDS)

        def may() -> bool:
            self._board.beat()
            return leads()

        watcher = threading.Thread(target=watch, name="term", daemon=True)
        watcher.start()
        self._metrics.leads(leads=True)
        try:
            rounds = self._built(over, may)
            if rounds is not None:
                rounds.serve(over)
        except NotLeading as exc:
            self._log.info("stopped acting", why=exc.message)
        finally:
            over.set()
            watcher.join()
            self._metrics.leads(leads=False)

    def _built(self, over: threading.Event, may: Callable[[], bool]) -> Rounds | None:
        """Return a bridge, as soon as there is something to bridge."""
        told = ""
        while not over.is_set():
            self._board.beat()
            try:
                return self._build(may)
            except (ConfigError, RemoteError) as exc:
                # The chart may be installed before anything is described: that is no fault.
                if exc.message != told:
                    told = exc.message
                    self._log.info("nothing to bridge yet", why=told)
            self._board.ready()
            over.wait(BUILD_AGAIN_SECONDS)
        return None
