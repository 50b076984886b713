"""Put a described Slurm cluster on a Kubernetes as people do, and wait until it works.

The chart, then a SlurmCluster and its NodeSets; the bridge does the rest. Used by the local cluster
and by the demo on any other. Everything is applied server-side, so a repeated run changes nothing
that is right already.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import yaml

from sunk import wellknown
from sunk.clients.kube.protocol import Kube
from sunk.errors import ConfigError, EnvironmentFault, NotFound, RemoteError
from sunk.local.chart import BRIDGE, ChartPlace, crds_established, install_chart
from sunk.model.cluster import SlurmCluster
from sunk.model.kube import NAMESPACE, NODE_SET, SECRET, SLURM_CLUSTER, KubeObject, name_of
from sunk.progress import Reporter, Step, step
from sunk.render.description import dump_description
from sunk.render.keys import ClusterKeys, keys_from_secrets
from sunk.render.kube.files import namespace as namespace_object

_POLL_SECONDS = 0.2
_READY_SECONDS = 300.0
_IDLE_SECONDS = 120.0
MANAGER = "sunk-installer"
"""Field manager of the resources that we apply in the place of a person."""


def deploy(
    kube: Kube,
    cluster: SlurmCluster,
    place: ChartPlace,
    reporter: Reporter,
    *,
    beside: tuple[KubeObject, ...] = (),
) -> ClusterKeys:
    """Install the chart, apply the resources, wait for daemons, accounts and workers.

    Args:
        kube: where.
        cluster: what.
        place: of the chart.
        reporter: told how far it is.
        beside: further objects that its Pods need, applied before the resources.

    Returns:
        The cluster's keys.

    Raises:
        ConfigError: the namespace is not ours, or the bridge refuses the description.
        EnvironmentFault: something does not become ready; the message names it and why.
    """
    with step(reporter, "Slurm chart") as current:
        _claim_namespace(kube, cluster)
        done = install_chart(kube, cluster.namespace, place)
        current.detail("waiting for the resources to be served")
        _until(lambda: crds_established(kube), _READY_SECONDS, lambda: "resources not served")
        current.outcome = f"{'installed' if done else 'as it is'} in namespace {cluster.namespace}"
    with step(reporter, "Slurm resources") as current:
        for thing in beside:
            kube.apply(thing, manager=MANAGER)
        resources = tuple(yaml.safe_load_all(dump_description(cluster)))
        for thing in resources:
            kube.apply(thing, manager=MANAGER)
        _remove_others(kube, cluster)
        current.outcome = ", ".join(f"{one['kind']} {name_of(one)}" for one in resources)
    with step(reporter, "Slurm daemons") as current:
        _wait_for_cluster(kube, cluster, current)
        current.outcome = "all ready"
    with step(reporter, "Slurm nodes") as current:
        current.outcome = _wait_for_workers(kube, cluster, current)
    selector = f"{wellknown.LABEL_INSTANCE}={cluster.name}"
    return keys_from_secrets(kube.list(SECRET, cluster.namespace, selector))


def _claim_namespace(kube: Kube, cluster: SlurmCluster) -> None:
    try:
        found = kube.get(NAMESPACE, cluster.namespace)
    except NotFound:
        found = None
    labels = {} if found is None else found["metadata"].get("labels", {})
    if found is not None and labels.get(wellknown.LABEL_MANAGED_BY) != "sunk":
        raise ConfigError(
            f"use namespace {cluster.namespace}: it exists and was not made by sunk",
            hint="choose another with --namespace",
        )
    if found is not None and labels.get(wellknown.LABEL_INSTANCE) not in {None, cluster.name}:
        raise ConfigError(
            f"use namespace {cluster.namespace}: it holds the Slurm cluster "
            f"{labels.get(wellknown.LABEL_INSTANCE)}, not {cluster.name}"
        )
    kube.apply(namespace_object(cluster))


def _remove_others(kube: Kube, cluster: SlurmCluster) -> None:
    """Ask for the end of node sets that the description does not name; jobs are waited for."""
    wanted = {one.name for one in cluster.node_sets}
    for one in kube.list(NODE_SET, cluster.namespace):
        if name_of(one) not in wanted:
            kube.delete(NODE_SET, name_of(one), cluster.namespace)


def _wait_for_cluster(kube: Kube, cluster: SlurmCluster, current: Step) -> None:
    said = "the bridge has said nothing yet"

    def ready() -> bool:
        nonlocal said
        found = kube.get(SLURM_CLUSTER, cluster.name, cluster.namespace)
        conditions = _conditions(found)
        if conditions.get("Valid", {}).get("status") == "False":
            raise ConfigError(
                f"use SlurmCluster {cluster.name}: {conditions['Valid'].get('message')}"
            )
        known, configured = conditions.get("Ready", {}), conditions.get("Configured", {})
        if configured.get("reason") == "Refused":
            raise ConfigError(
                f"use SlurmCluster {cluster.name}: slurmctld refuses the configuration: "
                f"{configured.get('message')}",
                hint="the last good one is still in force; change slurmConf",
            )
        said = known.get("message") or _bridge_words(kube, cluster)
        if known.get("status") == "True":
            said = "waiting for slurmctld to take the configuration"
        current.detail(said)
        return known.get("status") == configured.get("status") == "True"

    _until(ready, _READY_SECONDS, lambda: f"the daemons of {cluster.name} are not ready: {said}")


def _wait_for_workers(kube: Kube, cluster: SlurmCluster, current: Step) -> str:
    waiting: list[str] = []

    def ready() -> bool:
        nonlocal waiting
        waiting = []
        for one in cluster.node_sets:
            conditions = _conditions(kube.get(NODE_SET, one.name, cluster.namespace))
            for name in ("Ready", "UpToDate"):
                known = conditions.get(name, {})
                held = known.get("reason") == "JobsRun"
                if known.get("status") != "True" and not held:
                    waiting.append(f"{one.name}: {known.get('message') or 'not all registered'}")
        current.detail(f"waiting for {'; '.join(waiting)}")
        return not waiting

    _until(ready, _IDLE_SECONDS, lambda: f"workers are not usable: {'; '.join(waiting)}")
    count = sum(
        kube.get(NODE_SET, one.name, cluster.namespace)["status"].get("replicas", 0)
        for one in cluster.node_sets
    )
    return f"{count} idle or busy"


def _bridge_words(kube: Kube, cluster: SlurmCluster) -> str:
    """Return why the bridge says nothing: the trouble of its Pod."""
    pods = kube.pods(cluster.namespace)
    troubles = [
        f"{pod.name} ({pod.trouble})"
        for pod in pods
        if pod.name.startswith(f"{BRIDGE}-") and pod.trouble
    ]
    return (
        f"waiting for the bridge: {', '.join(troubles)}" if troubles else "waiting for the bridge"
    )


def _conditions(thing: KubeObject) -> Mapping[str, Mapping[str, Any]]:
    """Return the conditions that speak of the present spec, by type."""
    generation = thing["metadata"]["generation"]
    found = thing.get("status", {}).get("conditions", ())
    return {one["type"]: one for one in found if one.get("observedGeneration") == generation}


def _until(done: Callable[[], bool], seconds: float, why_not: Callable[[], str]) -> None:
    deadline = time.monotonic() + seconds
    while True:
        failure = ""
        try:
            if done():
                return
        except RemoteError as exc:
            failure = exc.message
        if time.monotonic() > deadline:
            raise EnvironmentFault(
                f"wait for Slurm: {failure or why_not()} (after {seconds:g} s)",
                hint=f"kubectl describe slurmcluster, and kubectl logs deployment/{BRIDGE}",
            )
        time.sleep(_POLL_SECONDS)
