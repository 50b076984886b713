"""A Kubernetes in which a manifest had been applied already: for plans of edited descriptions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sunk.clients.kube.protocol import Kube
from sunk.model.kube import NODE_SET, SLURM_CLUSTER, Kind, KubeObject, kind_of, name_of


class WithManifest:
    """A client whose SlurmClusters and NodeSets are those of a manifest; it writes nothing.

    What the manifest does not name stays as it is, as with ``kubectl apply``.

    Args:
        kube: the cluster.
        things: SlurmClusters and NodeSets.
    """

    def __init__(self, kube: Kube, things: Iterable[KubeObject]) -> None:
        self._kube = kube
        self._things = {(kind_of(one).name, name_of(one)): one for one in things}

    def list(
        self, kind: Kind, namespace: str | None = None, selector: str = ""
    ) -> tuple[KubeObject, ...]:
        """Return the objects of a kind, sorted by name."""
        found = {name_of(one): one for one in self._kube.list(kind, namespace, selector)}
        if kind in {NODE_SET, SLURM_CLUSTER}:
            for (of, name), thing in self._things.items():
                if of == kind.name:
                    found[name] = _edited(found.get(name), thing)
        return tuple(found[name] for name in sorted(found))

    def __getattr__(self, name: str) -> Any:
        """Pass on everything else."""
        return getattr(self._kube, name)


def _edited(before: KubeObject | None, after: KubeObject) -> KubeObject:
    """Return an object as it would be: another generation of the same, or a new one."""
    if before is None:
        meta = {**after["metadata"], "uid": "", "generation": 1, "resourceVersion": ""}
        return {**after, "metadata": meta}
    meta = {**before["metadata"], "generation": before["metadata"].get("generation", 0) + 1}
    return {**before, "metadata": meta, "spec": after.get("spec", {})}
