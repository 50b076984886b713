"""What Kubernetes itself is asked: which networks and devices were wanted, and which were given.

A request ends with exit code 0 where it was answered, and with the HTTP status where it was not: a
cluster without the SR-IOV operator answers 404, and that is an answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import msgspec

from sunk.clients.kube.protocol import Kube, RawAnswer
from sunk.errors import RemoteError, clip
from sunk_fabric.collect.conversation import Taken, now
from sunk_fabric.collect.questions import Question
from sunk_fabric.parse.pod_networks import PodNetworks

OVER = "Kubernetes API"
NETWORK_STATUS = "k8s.v1.cni.cncf.io/network-status"
NETWORKS = "k8s.v1.cni.cncf.io/networks"
PODS = "/api/v1/pods"
_SRIOV = "/apis/sriovnetwork.openshift.io/v1"
REQUESTS: tuple[tuple[str, str], ...] = (
    ("network_attachments", "/apis/k8s.cni.cncf.io/v1/network-attachment-definitions"),
    ("nic_cluster_policies", "/apis/mellanox.com/v1alpha1/nicclusterpolicies"),
    ("nodes", "/api/v1/nodes"),
    ("resource_slices", "/apis/resource.k8s.io/v1/resourceslices"),
    ("sriov_policies", f"{_SRIOV}/sriovnetworknodepolicies"),
    ("sriov_state", f"{_SRIOV}/sriovnetworknodestates"),
)
"""Name of the text -> path of the API. Of Pods, the network status alone is kept: the rest holds
what people put into their variables."""


class _Metadata(msgspec.Struct, frozen=True):
    name: str
    namespace: str = ""
    annotations: dict[str, str] | None = None


class _Resources(msgspec.Struct, frozen=True):
    limits: dict[str, str | int] = {}


class _Container(msgspec.Struct, frozen=True):
    resources: _Resources = _Resources()


class _Spec(msgspec.Struct, frozen=True, rename="camel"):
    node_name: str = ""
    containers: tuple[_Container, ...] = ()


class _Pod(msgspec.Struct, frozen=True):
    metadata: _Metadata
    spec: _Spec = _Spec()


class _Pods(msgspec.Struct, frozen=True):
    items: tuple[_Pod, ...] = ()


@dataclass(frozen=True, slots=True)
class KubeTexts:
    """Asks a cluster.

    Attributes:
        kube: the cluster.
        within_seconds: the longest that each request may take.
        limit_bytes: of each answer.
    """

    kube: Kube
    within_seconds: float
    limit_bytes: int

    def questions(self) -> tuple[Question, ...]:
        """Return what is asked, for a dry run."""
        paths = (*REQUESTS, ("pod_networks", PODS), ("network_status", PODS))
        return tuple(self._question(name, path) for name, path in paths)

    def ask(self) -> Iterator[Taken]:
        """Yield every answer."""
        for name, path in REQUESTS:
            yield self._taken(self._question(name, path), path)
        yield from self._network_statuses()

    def _network_statuses(self) -> Iterator[Taken]:
        question = self._question("network_status", PODS)
        whole = self._taken(question, PODS, limited=False)
        if whole.exit_code != 0:
            yield whole
            return
        try:
            pods = msgspec.json.decode(whole.output, type=_Pods).items
        except msgspec.MsgspecError as exc:
            yield replace(whole, output=b"", incomplete=f"no list of Pods: {clip(str(exc))}")
            return
        yield replace(
            whole,
            question=self._question("pod_networks", PODS),
            output=msgspec.json.format(msgspec.json.encode(_networks(pods)), indent=1) + b"\n",
        )
        for one in pods:
            meta = one.metadata
            status = (meta.annotations or {}).get(NETWORK_STATUS)
            if status is not None:
                path = f"/api/v1/namespaces/{meta.namespace}/pods/{meta.name}"
                asked = self._question(f"network_status.{meta.namespace}/{meta.name}", path)
                argv = (*asked.argv, "annotation", NETWORK_STATUS)
                yield replace(
                    whole, question=replace(asked, argv=argv), output=status.encode() + b"\n"
                )

    def _question(self, name: str, path: str) -> Question:
        return Question(name=name, argv=("GET", path), within_seconds=self.within_seconds)

    def _taken(self, question: Question, path: str, *, limited: bool = True) -> Taken:
        began = now()
        try:
            answer: RawAnswer | None = self.kube.request(
                "GET", path, within_seconds=self.within_seconds
            )
            why = ""
        except RemoteError as exc:
            answer, why = None, clip(exc.message)
        body = b"" if answer is None else answer.body
        if limited and len(body) > self.limit_bytes:
            body, why = body[: self.limit_bytes], f"cut at {self.limit_bytes} bytes"
        status = None if answer is None else answer.status
        code = 0 if status is not None and 200 <= status < 300 else status
        return Taken(
            question=question,
            began=began,
            ended=now(),
            exit_code=code,
            output=body,
            errors=b"",
            incomplete=why,
        )


def _devices(containers: Iterable[_Container]) -> dict[str, int]:
    """Return what containers ask for of device resources, whose names have a domain."""
    found: dict[str, int] = {}
    for one in containers:
        for name, amount in one.resources.limits.items():
            if "/" in name and str(amount).isdecimal():
                found[name] = found.get(name, 0) + int(amount)
    return dict(sorted(found.items()))


def _networks(pods: Iterable[_Pod]) -> list[PodNetworks]:
    """Return the Pods that asked for networks or got some, with nothing else of them."""
    found = []
    for one in pods:
        notes = one.metadata.annotations or {}
        if NETWORKS in notes or NETWORK_STATUS in notes:
            found.append(
                PodNetworks(
                    namespace=one.metadata.namespace,
                    name=one.metadata.name,
                    node=one.spec.node_name,
                    networks=notes.get(NETWORKS, ""),
                    status=notes.get(NETWORK_STATUS, ""),
                    devices=_devices(one.spec.containers),
                )
            )
    return found
