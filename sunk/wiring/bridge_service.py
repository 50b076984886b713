"""Puts the bridge's service together: clients, leadership, probes, signals."""

from __future__ import annotations

import datetime as dt
import signal
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from structlog.typing import FilteringBoundLogger

from sunk.bridge.fence import fenced_kube, fenced_slurm
from sunk.bridge.health import Address, Board, HealthServer, parse_address
from sunk.bridge.lease import Candidacy, Elector
from sunk.bridge.loop import ConnectSlurm
from sunk.bridge.loop import Settings as BridgeSettings
from sunk.bridge.metrics import Metrics
from sunk.bridge.service import Build, ReportedBridge, Rounds, Service
from sunk.clients.kube.protocol import Kube
from sunk.clients.slurm.protocol import SlurmClient
from sunk.errors import ConfigError
from sunk.model.kube import SLURM_CLUSTER, name_of
from sunk.render.keys import ClusterKeys
from sunk.settings import LocalSettings, SlurmClientKind
from sunk.wellknown import BRIDGE_LEASE
from sunk.wiring import clients
from sunk.wiring.bridge import Place, logger, open_kube

__all__ = ["Options", "parse_address", "run"]

_LEASE_REQUEST_SECONDS = 5.0
"""So short that a renewal that gets no answer is tried again before leadership ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How the service runs.

    Attributes:
        listen: where health and metrics are served; nowhere when absent.
        leader_elect: act only while holding the lease.
        slurm_client: how it speaks to Slurm.
        node_conditions: show drains that people made in Slurm on Kubernetes Nodes too.
        dry_run: decide and say, and change nothing.
    """

    listen: Address | None = None
    leader_elect: bool = False
    slurm_client: SlurmClientKind = SlurmClientKind.REST
    node_conditions: bool = False
    dry_run: bool = False


def run(
    place: Place, settings: LocalSettings, options: Options, say: Callable[[str], None]
) -> None:
    """Run the bridge until SIGTERM or an interrupt.

    Args:
        place: which Slurm cluster.
        settings: where local clusters are.
        options: how.
        say: tells a person what was found.

    Raises:
        InputError: there is no local cluster of that name.
        ConfigError: the cluster cannot be reached like this, or the address not be listened on;
            without leadership and outside a Pod also: there is no SlurmCluster.
        RemoteError: Kubernetes does not answer, without leadership and outside a Pod.
    """
    kube = open_kube(place, settings)
    if place.own is None and not options.leader_elect:
        # A person waits: better an error than a log line and silence.
        say(f"bridging {_described(kube, place.namespace)}; Ctrl-C ends it, all stays as it is")
    log = logger()
    board, metrics = Board(time.monotonic), Metrics()
    elector = None
    if options.leader_elect:
        lease_kube = open_kube(place, settings, within_seconds=_LEASE_REQUEST_SECONDS)
        elector = _elector(lease_kube, place.namespace)

    def slurm_of(keys: ClusterKeys) -> SlurmClient:
        inside = place.own is not None
        return clients.connect_slurm(
            kube, place.namespace, keys, options.slurm_client, directly=inside
        )

    build = builder(
        kube,
        slurm_of,
        BridgeSettings(
            namespace=place.namespace,
            node_conditions=options.node_conditions,
            dry_run=options.dry_run,
        ),
        board,
        metrics,
    )
    service = Service(build, board, metrics, log, elector=elector)
    with _stopped_by_sigterm() as stop, _serving(options.listen, board, metrics, log):
        service.run(stop)
    log.info("ended")


def builder(
    kube: Kube, slurm_of: ConnectSlurm, settings: BridgeSettings, board: Board, metrics: Metrics
) -> Build:
    """Return what makes the bridge of one term.

    Args:
        kube: Kubernetes.
        slurm_of: gives slurmrestd, once the cluster has keys.
        settings: how the bridge works.
        board: for probes.
        metrics: for Prometheus.
    """

    def build(may: Callable[[], bool]) -> Rounds:
        return ReportedBridge(
            fenced_kube(kube, may),
            lambda keys: fenced_slurm(slurm_of(keys), may),
            settings,
            monotonic=time.monotonic,
            wall=_wall,
            log=logger(),
            board=board,
            metrics=metrics,
        )

    return build


def _described(kube: Kube, namespace: str) -> str:
    found = kube.list(SLURM_CLUSTER, namespace)
    if not found:
        raise ConfigError(
            f"find a SlurmCluster in namespace {namespace}: there is none",
            hint="apply one, or name another namespace with --namespace",
        )
    return ", ".join(f"Slurm cluster {name_of(one)}" for one in found)


def _elector(kube: Kube, namespace: str) -> Elector:
    identity = f"{socket.gethostname()}_{uuid.uuid4()}"
    return Elector(
        kube,
        Candidacy(namespace=namespace, name=BRIDGE_LEASE, identity=identity),
        # Unlike the monotonic clock this one goes on while the machine sleeps.
        monotonic=lambda: time.clock_gettime(time.CLOCK_BOOTTIME),
        wall=_wall,
        log=logger(),
    )


def _wall() -> dt.datetime:
    return dt.datetime.now(tz=dt.UTC)


@contextmanager
def _stopped_by_sigterm() -> Iterator[threading.Event]:
    """Give an event that SIGTERM sets."""
    stop = threading.Event()

    def told(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    before = signal.signal(signal.SIGTERM, told)
    try:
        yield stop
    finally:
        stop.set()
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _serving(
    listen: Address | None, board: Board, metrics: Metrics, log: FilteringBoundLogger
) -> Iterator[None]:
    if listen is None:
        yield
        return
    server = HealthServer(listen, board, metrics.text)
    log.info("listening", host=listen.host, port=server.port)
    try:
        yield
    finally:
        server.close()
