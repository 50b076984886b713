"""Slurm's daemons on Kubernetes: apply what the renderers give, and say what is missing.

Everything is applied server-side, so that a repeated round changes nothing that is right already.
Keys are made once; whoever comes second takes those that are there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sunk import wellknown
from sunk.bridge.wishes import Wishes
from sunk.clients.kube.protocol import Kube
from sunk.errors import Conflict, InputError, NotFound, RemoteError
from sunk.model.cluster import SlurmCluster
from sunk.model.kube import (
    CONFIG_MAP,
    DEPLOYMENT,
    NAMESPACE,
    POD,
    SECRET,
    SERVICE,
    STATEFUL_SET,
    Kind,
    KubeObject,
    Pod,
    kind_of,
    name_of,
)
from sunk.plan.configuration import ConfReading, ConfState, read_log
from sunk.plan.difference import holds
from sunk.render.keygen import generate_keys
from sunk.render.keys import ClusterKeys, keys_from_secrets
from sunk.render.kube import render_objects
from sunk.render.kube.files import CONF_DIGEST, render_files
from sunk.wellknown import ANNOTATION_OFFERED, CONTROLLER_POD

CHECK_SECONDS = 10.0
"""How often objects that were applied are looked at again when nothing else changed."""
_OWNED = (CONFIG_MAP, SECRET, SERVICE, STATEFUL_SET, DEPLOYMENT)
"""Kinds that are put right after a foreign edit; claims are left to their owner once they exist."""
_WORKLOADS = (STATEFUL_SET, DEPLOYMENT)
_OFFERED = ConfReading(state=ConfState.OFFERED)
_LOG_LINES = 2000
"""slurmctld may say much between the start of its Pod and the next configuration."""
_KEYS_ARE_GONE = (
    "the cluster's Secrets are gone, and its daemons may still use them: restore slurm-key, "
    "slurm-jwt, slurm-database and login-host-key from a backup"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """How far a StatefulSet or Deployment is.

    Attributes:
        name: its name.
        done: every Pod is of the newest version and ready.
    """

    name: str
    done: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How far the daemons are.

    Attributes:
        keys: the cluster's secrets; None before they are made.
        fault: why nothing could be applied; empty when it was.
        waiting: what is waited for, for people; empty when every daemon is ready.
        put_right: objects that somebody had changed, as ``Service/slurmctld``.
        would_change: in a dry run, objects that are not as described.
        conf: how far slurmctld is with the described configuration.
    """

    keys: ClusterKeys | None = None
    fault: str = ""
    waiting: str = ""
    put_right: tuple[str, ...] = ()
    would_change: tuple[str, ...] = ()
    conf: ConfReading = _OFFERED

    @property
    def ready(self) -> bool:
        """Whether every daemon runs as described."""
        return not self.fault and not self.waiting


class Daemons:
    """Keeps the daemons of one Slurm cluster as described.

    Args:
        kube: Kubernetes.
        namespace: where they are.
    """

    def __init__(self, kube: Kube, namespace: str) -> None:
        self._kube = kube
        self._namespace = namespace
        self._keys: ClusterKeys | None = None
        self._applied_for: SlurmCluster | None = None
        self._versions: dict[tuple[str, str], object] = {}
        self._checked_at = float("-inf")
        self._offered = ""
        self._conf = _OFFERED
        self._last = Standing(waiting="nothing was looked at yet")

    def settle(self, wishes: Wishes, now: float, *, dry_run: bool = False) -> Standing:
        """Bring the daemons in line with the wishes, as far as one round can.

        Args:
            wishes: what is wanted; with a fault, nothing is touched.
            now: seconds of a clock that never goes back.
            dry_run: look, and change nothing.
        """
        try:
            self._last = self._settle(wishes, now, dry_run=dry_run)
        except (RemoteError, InputError) as exc:
            self._last = Standing(keys=self._keys, fault=exc.message)
        return self._last

    def _settle(self, wishes: Wishes, now: float, *, dry_run: bool) -> Standing:
        cluster = wishes.described.cluster
        if wishes.head is None:
            self._keys, self._applied_for = None, None  # the next one may have others
        if wishes.fault or cluster is None or wishes.deleting or dry_run:
            keys = self._keys_there() if wishes.head is not None else None
            idle = wishes.fault or cluster is None or wishes.deleting or keys is None
            kept = wishes.described.fault and not (wishes.unread or wishes.deleting or dry_run)
            return Standing(
                keys=keys,
                fault=wishes.fault,
                waiting=self._waiting(wishes),
                put_right=self._keep(now) if kept else (),
                would_change=() if idle else self._would_change(cluster, keys),
            )
        if self._keys is None:
            self._keys = self._ensure_keys(cluster, made_before=keys_were_made(wishes.head))
        changed = self._applied_for is not cluster
        due = now - self._checked_at >= CHECK_SECONDS
        if not changed and not due and self._last.ready and self._conf_is_settled():
            return Standing(keys=self._keys, conf=self._conf)
        put_right: tuple[str, ...] = ()
        if changed or due:
            put_right = self._apply(cluster, self._keys, everything=changed)
            self._applied_for, self._checked_at = cluster, now
        self._follow_conf(cluster, self._keys)
        return Standing(
            keys=self._keys,
            waiting=self._waiting(wishes),
            put_right=put_right,
            conf=self._conf,
        )

    def _keep(self, now: float) -> tuple[str, ...]:
        """Put right what somebody changed in the cluster as it was last described well."""
        last, keys = self._applied_for, self._keys
        if last is None or keys is None or now - self._checked_at < CHECK_SECONDS:
            return ()
        self._checked_at = now
        return self._apply(last, keys, everything=False)

    def _conf_is_settled(self) -> bool:
        return self._conf.state is not ConfState.OFFERED

    def _follow_conf(self, cluster: SlurmCluster, keys: ClusterKeys) -> None:
        """Have slurmctld's Pod take the configuration, and read back what became of it."""
        offered = render_files(cluster, keys).slurm_conf[CONF_DIGEST].strip()
        if self._offered != offered:
            self._offered, self._conf = offered, _OFFERED
        if self._conf_is_settled():
            return
        try:
            pod = self._kube.get(POD, CONTROLLER_POD, self._namespace)
        except NotFound:
            return
        if pod["metadata"].get("annotations", {}).get(ANNOTATION_OFFERED) != offered:
            # Without it a running Pod sees a changed ConfigMap after a minute or more.
            change = {"metadata": {"annotations": {ANNOTATION_OFFERED: offered}}}
            self._kube.merge(POD, CONTROLLER_POD, change, self._namespace)
        log = self._kube.logs(CONTROLLER_POD, self._namespace, lines=_LOG_LINES)
        self._conf = read_log(log, offered)

    def _apply(
        self, cluster: SlurmCluster, keys: ClusterKeys, *, everything: bool
    ) -> tuple[str, ...]:
        """Apply all objects, or those that are not as we left them; return the latter."""
        found = {} if everything else self._versions_now(cluster)
        put_right = []
        for thing in render_objects(cluster, keys):
            kind = kind_of(thing)
            if kind == NAMESPACE:
                continue  # its maker's: the bridge works inside one
            key = (kind.name, name_of(thing))
            if not everything and (kind not in _OWNED or found.get(key) == self._versions.get(key)):
                continue
            there = _version(kind, self._kube.apply(thing))
            if not everything and there != found.get(key):
                put_right.append("/".join(key))
            self._versions[key] = there
        self._forget_services(cluster)
        return tuple(put_right)

    def _would_change(
        self, cluster: SlurmCluster | None, keys: ClusterKeys | None
    ) -> tuple[str, ...]:
        assert cluster is not None
        assert keys is not None
        there = {
            (kind.name, name_of(one)): one
            for kind in _OWNED
            for one in self._kube.list(kind, self._namespace, _of(cluster))
        }
        return tuple(
            f"{thing['kind']}/{name_of(thing)}"
            for thing in render_objects(cluster, keys)
            if kind_of(thing) in _OWNED
            and not holds(there.get((kind_of(thing).name, name_of(thing))), thing)
        )

    def _versions_now(self, cluster: SlurmCluster) -> dict[tuple[str, str], object]:
        return {
            (kind.name, name_of(one)): _version(kind, one)
            for kind in _OWNED
            for one in self._kube.list(kind, self._namespace, _of(cluster))
        }

    def _forget_services(self, cluster: SlurmCluster) -> None:
        """Delete the Services of node sets that are gone, once their Pods are."""
        wanted = {one.name for one in cluster.node_sets}
        selector = f"{_of(cluster)},{wellknown.LABEL_NAME}=slurmd"
        gone = [
            name_of(one)
            for one in self._kube.list(SERVICE, self._namespace, selector)
            if name_of(one) not in wanted
        ]
        if not gone:
            return
        pods = self._kube.pods(self._namespace, selector)
        inhabited = {pod.labels.get(wellknown.LABEL_NODE_SET) for pod in pods}
        for name in gone:
            if name not in inhabited:
                self._kube.delete(SERVICE, name, self._namespace)

    def _keys_there(self) -> ClusterKeys | None:
        if self._keys is None:
            found = self._kube.list(SECRET, self._namespace, f"{wellknown.LABEL_MANAGED_BY}=sunk")
            self._keys = keys_from_secrets(found) if found else None
        return self._keys

    def _ensure_keys(self, cluster: SlurmCluster, *, made_before: bool) -> ClusterKeys:
        """Return the cluster's keys; make them when it never had any."""
        found = self._kube.list(SECRET, self._namespace, _of(cluster))
        if found:
            return keys_from_secrets(found)
        if made_before:
            raise InputError(_KEYS_ARE_GONE)
        for thing in render_objects(cluster, generate_keys()):
            if kind_of(thing) == SECRET:
                try:
                    self._kube.create(thing)
                except Conflict:
                    continue
        return keys_from_secrets(self._kube.list(SECRET, self._namespace, _of(cluster)))

    def _waiting(self, wishes: Wishes) -> str:
        """Return what is not ready, with Kubernetes' reason where there is one."""
        if wishes.head is None:
            return "no SlurmCluster is in the namespace"
        selector = f"{wellknown.LABEL_INSTANCE}={name_of(wishes.head)}"
        sets = [
            rollout(one)
            for kind in _WORKLOADS
            for one in self._kube.list(kind, self._namespace, selector)
        ]
        waiting = [one.name for one in sets if not one.done]
        if sets and not waiting:
            return ""
        pods = self._kube.pods(self._namespace, selector)
        daemons = [pod for pod in pods if wellknown.LABEL_NODE_SET not in pod.labels]
        return waiting_words(waiting, daemons)


def rollout(thing: Mapping[str, Any]) -> Rollout:
    """Return how far a StatefulSet or Deployment is; an unobserved change counts as not done.

    With as many updated, ready and existing Pods as wanted, none of an older version is left.
    """
    status = thing.get("status", {})
    wanted = thing["spec"].get("replicas", 1)
    counts = [status.get(key, 0) for key in ("replicas", "readyReplicas", "updatedReplicas")]
    observed = status.get("observedGeneration") == thing["metadata"]["generation"]
    done = observed and counts == [wanted] * 3
    return Rollout(name=name_of(thing), done=done)


def waiting_words(waiting: Sequence[str], pods: Iterable[Pod]) -> str:
    """Return what is waited for, with the troubles of at most three Pods."""
    troubles = [f"{pod.name} ({pod.trouble})" for pod in pods if not pod.ready and pod.trouble]
    return "waiting for " + (", ".join(troubles[:3]) or ", ".join(waiting) or "the daemons")


def keys_were_made(head: KubeObject | None) -> bool:
    """Return whether the status of a SlurmCluster says that it has keys."""
    status = {} if head is None else head.get("status") or {}
    return any(
        one.get("type") == "KeysMade" and one.get("status") == "True"
        for one in status.get("conditions") or ()
    )


def _of(cluster: SlurmCluster) -> str:
    return f"{wellknown.LABEL_INSTANCE}={cluster.name},{wellknown.LABEL_MANAGED_BY}=sunk"


def _version(kind: Kind, thing: KubeObject) -> object:
    """Return what changes with every change that matters: status does not."""
    meta = thing["metadata"]
    return (meta.get("uid"), meta.get("generation" if kind in _WORKLOADS else "resourceVersion"))
