"""Hosts over Kubernetes: exec into Pods that are there, or those of a short-lived DaemonSet."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta

from sunk.clients.kube.protocol import Kube
from sunk.clients.shells import Shell
from sunk.errors import InputError, NotFound, NotReached, RemoteError, clip
from sunk.model.kube import DAEMON_SET, EVENT, Pod
from sunk.model.reach import Reason
from sunk.wellknown import LABEL_COLLECT
from sunk_fabric.collect import conversation
from sunk_fabric.collect.daemon_set import SHELL, daemon_set, left_over, name_of
from sunk_fabric.collect.transport import same_host

LIFE_HOURS = 6
"""After this, what a killed collection left may be deleted by the next one in the namespace."""
_POLL_SECONDS = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class PodChoice:
    """Which Pods may be used.

    Attributes:
        namespace: of the Pods, and where a DaemonSet is made.
        selector: labels of Pods that are there already; none are used when empty.
        container: in those Pods; their default one when empty.
        image: of a DaemonSet for Nodes without such a Pod; none is made when empty.
        wait_seconds: the longest that its Pods may take to start.
        inside: labels of Pods that are asked in their own right, beside the Nodes, for what they
            were given; none when empty. Their names as hosts are ``<pod>.<namespace>``.
        inside_namespace: of those Pods.
    """

    namespace: str
    selector: str = ""
    container: str = ""
    image: str = ""
    wait_seconds: float = 120.0
    inside: str = ""
    inside_namespace: str = ""


@dataclass
class OverKube:
    """Nodes of a Kubernetes cluster.

    Attributes:
        kube: the cluster.
        choice: which Pods may be used.
        step_seconds: the longest that opening a stream may take.
        token: tells this collection's DaemonSet from others.
    """

    kube: Kube
    choice: PodChoice
    step_seconds: float
    token: str = field(default_factory=lambda: secrets.token_hex(4))
    _found: dict[str, Pod] | None = None
    _pods: Mapping[str, Pod] | None = None
    _made: dict[str, Pod] = field(default_factory=dict)
    _trouble: dict[str, str] = field(default_factory=dict)
    _created: bool = False
    _refusal: str = ""

    def __post_init__(self) -> None:
        """Refuse a choice of nothing.

        Raises:
            InputError: neither Pods nor an image.
        """
        if not (self.choice.selector or self.choice.image or self.choice.inside):
            raise InputError(
                "collect over Kubernetes: neither Pods nor an image for a DaemonSet are named",
                hint="give --selector LABELS, --image IMAGE, --pods LABELS, or several of them",
            )

    def hosts(self) -> tuple[str, ...]:
        """Return the names of all Nodes, unless Pods alone are meant, and of the Pods."""
        asked = self.choice.selector or self.choice.image
        nodes = tuple(one.name for one in self.kube.nodes()) if asked else ()
        return (*nodes, *self._inside())

    def over(self, host: str) -> str:
        """Return the Pod or the DaemonSet that a Node is asked through."""
        pod = self._there().get(host)
        if pod is not None:
            return f"exec in Pod {pod.namespace}/{pod.name}"
        if self.choice.image:
            return f"DaemonSet {self.choice.namespace}/{name_of(self.token)}"
        return "no Pod"

    def check(self, hosts: tuple[str, ...]) -> None:
        """Ask which Pods there are: a cluster that does not answer is told at once."""
        for host in hosts:
            self.over(host)

    def prepare(self, hosts: tuple[str, ...]) -> None:
        """Make a DaemonSet for Nodes without a Pod, and wait for its Pods.

        Raises:
            RemoteError: Kubernetes refuses it, or does not answer.
        """
        without = [host for host in hosts if host not in self._there()]
        if not without or not self.choice.image:
            return
        there = self.kube.list(DAEMON_SET, self.choice.namespace)
        for name in left_over(there, conversation.now()):
            self._delete(name)
        # From here on something may be there, whatever the answer is.
        self._created = True
        self.kube.create(
            daemon_set(
                self.token,
                namespace=self.choice.namespace,
                image=self.choice.image,
                nodes=without,
                until=conversation.now(timedelta(hours=LIFE_HOURS)),
            )
        )
        deadline = time.monotonic() + self.choice.wait_seconds
        while True:
            pods = self.kube.pods(self.choice.namespace, f"{LABEL_COLLECT}={self.token}")
            self._made = _by_node(pods)
            self._trouble = {one.node: one.trouble for one in pods if one.node and one.trouble}
            if len(self._made) == len(without):
                return
            if time.monotonic() > deadline:
                self._refusal = self._why_no_pod()
                return
            time.sleep(_POLL_SECONDS)

    def _why_no_pod(self) -> str:
        """Return why Kubernetes makes no Pods of it, in its own words; empty when it is silent."""
        with suppress(RemoteError):
            for one in self.kube.list(EVENT, self.choice.namespace):
                about = one.get("involvedObject", {})
                mine = (about.get("kind"), about.get("name")) == ("DaemonSet", name_of(self.token))
                if mine and one.get("type") == "Warning":
                    return clip(str(one.get("message", "")))
        return ""

    def open(self, host: str) -> Shell:
        """Start a shell in the Node's Pod."""
        there, made = self._there().get(host), self._made.get(host)
        if there is not None:
            return self._shell(there, ("/bin/sh",), self.choice.container)
        if made is not None:
            return self._shell(made, SHELL, "")
        why = self._trouble.get(host, "") or self._refusal
        if not why and self.choice.image:
            why = "the DaemonSet's Pod did not start in time, or there is no such Node"
        raise NotReached(
            f"start a shell on {host}: {why or 'no running Pod there has these labels'}",
            reason=Reason.NO_POD,
            system="kube-apiserver",
            hint="" if self.choice.image else "a DaemonSet would serve: --image IMAGE",
        )

    def is_named(self, host: str, called: str) -> bool:
        """Return whether it calls itself as the Node, or as the Pod that is asked."""
        pod = self._there().get(host)
        return same_host(host, called) or (pod is not None and called == pod.name)

    def is_pod(self, host: str) -> bool:
        """Return whether it is one of the Pods that are asked in their own right."""
        return host in self._inside()

    def close(self) -> None:
        """Delete the DaemonSet.

        Raises:
            RemoteError: it cannot be deleted.
        """
        if self._created:
            self._created = False
            self._delete(name_of(self.token))

    def _delete(self, name: str) -> None:
        with suppress(NotFound):
            self.kube.delete(DAEMON_SET, name, self.choice.namespace)

    def _there(self) -> Mapping[str, Pod]:
        if self._found is None:
            selector, namespace = self.choice.selector, self.choice.namespace
            self._found = _by_node(self.kube.pods(namespace, selector) if selector else ())
            self._found |= self._inside()
        return self._found

    def _inside(self) -> Mapping[str, Pod]:
        if self._pods is None:
            labels, namespace = self.choice.inside, self.choice.inside_namespace
            pods = self.kube.pods(namespace, labels) if labels else ()
            self._pods = {f"{one.name}.{one.namespace}": one for one in pods if _usable(one)}
        return self._pods

    def _shell(self, pod: Pod, argv: tuple[str, ...], container: str) -> Shell:
        try:
            return self.kube.shell(
                pod.name,
                pod.namespace,
                argv,
                container=container or None,
                within_seconds=self.step_seconds,
            )
        except RemoteError as exc:
            raise NotReached(
                exc.message, reason=Reason.EXEC, system=exc.system, hint=exc.hint
            ) from exc


def _by_node(pods: Iterable[Pod]) -> dict[str, Pod]:
    """Return the first usable Pod of each Node."""
    found: dict[str, Pod] = {}
    for one in filter(_usable, pods):
        found.setdefault(str(one.node), one)
    return found


def _usable(pod: Pod) -> bool:
    return bool(pod.node) and pod.ready and not pod.deleting
