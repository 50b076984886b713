"""Kubernetes objects of a Slurm cluster, as plain dicts that JSON can hold.

Everything lives in the cluster's own namespace under fixed names (one cluster, one namespace), runs
without privileges that Pod Security's baseline refuses, and carries our labels. A change of what a
Pod is started with changes its config-hash annotation, which restarts just that kind of Pod;
users, SSH keys and, on workers and login nodes, slurm.conf reach running Pods without one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sunk.model.cluster import SlurmCluster
from sunk.render.keys import ClusterKeys
from sunk.render.kube.control import accounting, controller, database, rest
from sunk.render.kube.files import claims, config_maps, namespace, render_files, secrets
from sunk.render.kube.nodes import login, worker_service


def render_objects(cluster: SlurmCluster, keys: ClusterKeys) -> tuple[Mapping[str, Any], ...]:
    """Return a cluster's Kubernetes objects without its worker Pods, in the order to apply them.

    Worker Pods are made by the bridge, one by one: `sunk.render.kube.nodes.worker_pod`. The
    namespace is first, for whoever may make one.

    Args:
        cluster: a valid description (`sunk.render.description`).
        keys: the cluster's secrets; the same ones at every apply.

    Raises:
        InputError: a value cannot be written into a configuration file safely.
    """
    files = render_files(cluster, keys)
    return (
        namespace(cluster),
        *secrets(cluster, keys, files),
        *config_maps(cluster, files),
        *claims(cluster),
        *database(cluster, files),
        *accounting(cluster, keys, files),
        *controller(cluster, keys, files),
        *rest(cluster, files),
        *login(cluster, keys, files),
        *(
            worker_service(cluster, node_set)
            for node_set in sorted(cluster.node_sets, key=lambda one: one.name)
        ),
    )
