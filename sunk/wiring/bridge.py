"""Puts the bridge together for a cluster that is up, and answers operators' questions about one."""

from __future__ import annotations

import datetime as dt
import logging
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import structlog
import yaml
from structlog.typing import FilteringBoundLogger

from sunk.bridge.clusters import ClusterRow, cluster_rows
from sunk.bridge.loop import Bridge, Settings
from sunk.bridge.manifest import WithManifest
from sunk.bridge.overview import PlanRow, WorkerRow, plan_rows, worker_rows
from sunk.clients.kube.protocol import Kube
from sunk.clients.slurm.protocol import SlurmClient
from sunk.errors import ConfigError
from sunk.model.kube import NODE_SET, SECRET, SLURM_CLUSTER
from sunk.progress import Silent
from sunk.render.description import dump_description, load_description
from sunk.render.keys import keys_from_secrets
from sunk.settings import InCluster, LocalSettings
from sunk.wellknown import LABEL_INSTANCE, LABEL_MANAGED_BY, LABEL_NAME
from sunk.wiring import clients
from sunk.wiring.local import local_cluster

_PLAN_SECONDS = 15.0
"""How long a plan waits until readings agree: they are 5 s apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Which Slurm cluster is meant.

    Attributes:
        kubeconfig: the Kubernetes cluster; a local one when absent.
        context: in that kubeconfig; its current one when absent.
        local_name: name of the local cluster.
        namespace: where the Slurm cluster is.
        own: the Kubernetes cluster that this Pod runs in; goes before the others.
    """

    kubeconfig: Path | None
    context: str | None
    local_name: str
    namespace: str
    own: InCluster | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Connected:
    """Clients of one Slurm cluster of ours."""

    kube: Kube
    slurm: SlurmClient
    cluster: str
    namespace: str


def connect(place: Place, settings: LocalSettings) -> Connected:
    """Return clients of the Slurm cluster at a place.

    Raises:
        InputError: there is no local cluster of that name.
        ConfigError: the kubeconfig is not usable, or no cluster of ours is in the namespace.
        RemoteError: Kubernetes does not answer.
    """
    return connected(open_kube(place, settings), place.namespace)


def open_kube(place: Place, settings: LocalSettings, *, within_seconds: float = 30.0) -> Kube:
    """Return a client of the Kubernetes cluster at a place.

    Args:
        place: which.
        settings: where local clusters are.
        within_seconds: time limit of each request.

    Raises:
        InputError: there is no local cluster of that name.
        ConfigError: the kubeconfig is not usable, or this is no Pod.
    """
    if place.own is not None:
        return clients.connect_own_kube(place.own, within_seconds=within_seconds)
    if place.kubeconfig is not None:
        return clients.connect_kube(place.kubeconfig, place.context, within_seconds=within_seconds)
    local = local_cluster(place.local_name, settings, Silent())
    local.parameters()  # says so when it is not up
    return clients.connect_kube(local.layout.kubeconfig, within_seconds=within_seconds)


def connected(kube: Kube, namespace: str) -> Connected:
    """Return clients of the Slurm cluster in a namespace, over a client of its Kubernetes."""
    secrets = kube.list(SECRET, namespace, f"{LABEL_MANAGED_BY}=sunk")
    names = {one["metadata"]["labels"].get(LABEL_INSTANCE) for one in secrets} - {None}
    if len(names) != 1:
        raise ConfigError(
            f"find the Slurm cluster in namespace {namespace}: {len(names)} of sunk are there, "
            "not one",
            hint="name another with --namespace",
        )
    slurm = clients.connect_slurm(kube, namespace, keys_from_secrets(secrets))
    return Connected(kube=kube, slurm=slurm, cluster=str(names.pop()), namespace=namespace)


def logger(*, least: int = logging.INFO) -> FilteringBoundLogger:
    """Return a logger to stderr: for people on a terminal, else a JSON object a line.

    Args:
        least: lowest level that is written, as in `logging`.
    """
    terminal = sys.stderr.isatty()
    last = structlog.dev.ConsoleRenderer() if terminal else structlog.processors.JSONRenderer()
    made: FilteringBoundLogger = structlog.wrap_logger(
        structlog.PrintLogger(sys.stderr),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            last,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(least),
    )
    return made


def bridge_of(
    site: Connected, *, dry_run: bool = False, log: FilteringBoundLogger | None = None
) -> Bridge:
    """Return a bridge of a Slurm cluster."""
    settings = Settings(namespace=site.namespace, dry_run=dry_run)
    return Bridge(
        site.kube,
        lambda _keys: site.slurm,
        settings,
        monotonic=time.monotonic,
        wall=lambda: dt.datetime.now(tz=dt.UTC),
        log=log or logger(),
    )


def plan(site: Connected, manifest: Path | None = None) -> tuple[PlanRow, ...]:
    """Return what a bridge would do now; waits until two readings agree, or says that none do.

    Args:
        site: the Slurm cluster.
        manifest: SlurmCluster and NodeSets to plan for instead of what is there.

    Raises:
        InputError: the manifest cannot be read, or describes no valid cluster.
    """
    if manifest is not None:
        described = replace(load_description(manifest), namespace=site.namespace)
        things = tuple(yaml.safe_load_all(dump_description(described)))
        site = replace(site, kube=cast(Kube, WithManifest(site.kube, things)))
    bridge = bridge_of(site, dry_run=True, log=logger(least=logging.CRITICAL))
    deadline = time.monotonic() + _PLAN_SECONDS
    made = bridge.round()
    while made.doubtful and time.monotonic() < deadline:
        time.sleep(0.5)
        made = bridge.round()
    return plan_rows(made, site.slurm.jobs())


def clusters(place: Place, settings: LocalSettings) -> tuple[ClusterRow, ...]:
    """Return every SlurmCluster at a place; of one namespace, if it names one."""
    kube = open_kube(place, settings)
    where = place.namespace or None
    return cluster_rows(kube.list(SLURM_CLUSTER, where), kube.list(NODE_SET, where))


def workers(site: Connected) -> tuple[WorkerRow, ...]:
    """Return every Slurm node and worker Pod."""
    selector = f"{LABEL_INSTANCE}={site.cluster},{LABEL_NAME}=slurmd"
    pods = site.kube.pods(site.namespace, selector)
    return worker_rows(site.slurm.nodes(), pods, site.slurm.jobs())
