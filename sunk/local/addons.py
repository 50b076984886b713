"""Services inside a local cluster that any real cluster has: DNS and a default StorageClass."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

import yaml

from sunk.clients.kube.protocol import Kube
from sunk.errors import EnvironmentFault, NotFound
from sunk.local import volumes
from sunk.model.kube import DEPLOYMENT, SERVICE_ACCOUNT, KubeObject
from sunk.resources import data_folder

_READY_SECONDS = 90.0
_SERVED_SECONDS = 30.0
_POLL_SECONDS = 0.2


def objects() -> tuple[KubeObject, ...]:
    """Return the objects of the cluster's services, in the order to apply them."""
    text = (data_folder("deploy") / "local" / "coredns.yaml").read_text()
    return (volumes.storage_class(), *yaml.safe_load_all(text))


def apply(kube: Kube, things: Iterable[KubeObject]) -> None:
    """Apply objects in order; those of a definition just made once they are served.

    Raises:
        NotFound: they are not served in time.
    """
    deadline = time.monotonic() + _SERVED_SECONDS
    for thing in things:
        while True:
            try:
                kube.apply(thing)
                break
            except NotFound:
                if time.monotonic() > deadline:
                    raise
            time.sleep(_POLL_SECONDS)


def dns_is_ready(kube: Kube) -> bool:
    """Return whether at least one DNS server answers."""
    try:
        found = kube.get(DEPLOYMENT, "coredns", "kube-system")
    except NotFound:
        return False
    return int(found.get("status", {}).get("readyReplicas", 0)) > 0


def wait_until_ready(kube: Kube, cluster: str, meanwhile: Callable[[], None]) -> None:
    """Wait for DNS and for the account that every Pod needs.

    Args:
        kube: the cluster.
        cluster: its name, for the hint.
        meanwhile: called again and again; raises to give up.

    Raises:
        EnvironmentFault: not ready in time.
    """
    deadline = time.monotonic() + _READY_SECONDS
    while not (_has_default_account(kube) and dns_is_ready(kube)):
        meanwhile()
        if time.monotonic() > deadline:
            raise EnvironmentFault(
                f"wait for cluster DNS: not ready after {_READY_SECONDS:g} s",
                hint=f"sunk local kubectl --name {cluster} -n kube-system describe pods",
            )
        time.sleep(_POLL_SECONDS)


def _has_default_account(kube: Kube) -> bool:
    try:
        kube.get(SERVICE_ACCOUNT, "default", "default")
    except NotFound:
        return False
    return True
