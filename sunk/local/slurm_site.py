"""A Slurm cluster on a Kubernetes that a person can log in to: deployment plus the way in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sunk.clients.kube.protocol import Kube
from sunk.local import access
from sunk.local.chart import ChartPlace
from sunk.local.shared_software import SharedSoftware
from sunk.local.slurm_deployment import deploy
from sunk.model.cluster import Images, SlurmCluster, with_user_key
from sunk.progress import Reporter
from sunk.render.description import load_description
from sunk.render.keys import ClusterKeys
from sunk.resources import data_folder


@dataclass(frozen=True, slots=True, kw_only=True)
class SlurmSite:
    """A Slurm cluster that is up.

    Attributes:
        cluster: its description, users' keys included.
        keys: its secrets.
        user_key: the key pair that every described user may log in with.
    """

    cluster: SlurmCluster
    keys: ClusterKeys
    user_key: access.UserKey


def described(
    file: Path | None,
    *,
    images: Images | None = None,
    namespace: str | None = None,
    storage_class: str | None = None,
) -> SlurmCluster:
    """Return the description in a file (the shipped one when absent) with these changes.

    Args:
        file: a SlurmCluster and its NodeSets.
        images: container images instead of the file's.
        namespace: instead of the file's.
        storage_class: for every claim.

    Raises:
        InputError: the file is not a valid description.
    """
    cluster = load_description(file or data_folder("deploy") / "local" / "cluster.yaml")
    if images is not None:
        cluster = replace(cluster, images=images)
    if namespace is not None:
        cluster = replace(cluster, namespace=namespace)
    if storage_class is not None:
        claims = cluster.storage
        cluster = replace(
            cluster,
            storage=replace(
                claims,
                home=replace(claims.home, storage_class=storage_class),
                state=replace(claims.state, storage_class=storage_class),
                database=replace(claims.database, storage_class=storage_class),
            ),
        )
    return cluster


def put_slurm_on(
    kube: Kube,
    cluster: SlurmCluster,
    access_folder: Path,
    place: ChartPlace,
    reporter: Reporter,
    *,
    software: Sequence[SharedSoftware] = (),
) -> SlurmSite:
    """Deploy a described cluster, letting every user in with the key in `access_folder`.

    Args:
        kube: where.
        cluster: what.
        access_folder: holds the key, and gets one.
        place: of the chart.
        reporter: told how far it is.
        software: folders that login node and workers see too.
    """
    user_key = access.ensure_user_key(access_folder)
    for user in cluster.users:
        cluster = with_user_key(cluster, user.name, user_key.public)
    beside = tuple(one for part in software for one in part.objects(cluster.namespace))
    seen = cluster
    for part in software:
        seen = part.seen_by(seen)
    keys = deploy(kube, seen, place, reporter, beside=beside)
    return SlurmSite(cluster=seen, keys=keys, user_key=user_key)
