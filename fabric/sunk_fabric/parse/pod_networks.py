"""Networks of Pods: what each asked for, what it got, and on which Node it is.

``sunk fabric collect`` writes it from the Pods' list and leaves out the rest of them. Annotations
are those of the Kubernetes Network Custom Resource Definition De-facto Standard 1.3.
"""

from __future__ import annotations

import msgspec

from sunk_fabric.parse import json_text
from sunk_fabric.parse.network_status import Attachment
from sunk_fabric.parse.text import Content, Parsed, printable


class _Asked(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    namespace: str = ""


class PodNetworks(msgspec.Struct, frozen=True, kw_only=True):
    """One Pod that asked for networks or got some.

    Attributes:
        namespace: its namespace.
        name: its name.
        node: the Node that it is bound to; empty before.
        networks: annotation ``k8s.v1.cni.cncf.io/networks``; empty without.
        status: annotation ``k8s.v1.cni.cncf.io/network-status``; empty without.
        devices: device resource -> amount that its containers ask for, together; nothing when the
            text was made by a version that did not keep them.
    """

    namespace: str
    name: str
    node: str = ""
    networks: str = ""
    status: str = ""
    devices: dict[str, int] | None = None

    @property
    def requested(self) -> tuple[str, ...] | None:
        """Return the networks that it asked for, as ``namespace/name``; nothing when unreadable.

        The annotation is a list of names with an interface each, ``hpc/rail0@net1``, or JSON.
        """
        if not self.networks.lstrip().startswith("["):
            words = [one.strip() for one in self.networks.split(",") if one.strip()]
            return tuple(self._full(one.partition("@")[0]) for one in words)
        try:
            asked = msgspec.json.decode(self.networks, type=tuple[_Asked, ...])
        except (msgspec.MsgspecError, RecursionError, ValueError):
            return None
        return tuple(f"{one.namespace or self.namespace}/{one.name}" for one in asked)

    def _full(self, name: str) -> str:
        return name if "/" in name else f"{self.namespace}/{name}"


class PodAttachments(msgspec.Struct, frozen=True, kw_only=True):
    """A Pod's networks, read.

    Attributes:
        pod: where it is, and what it asked for.
        attached: what it got.
    """

    pod: PodNetworks
    attached: tuple[Attachment, ...] = ()

    @property
    def hosts(self) -> tuple[str, str]:
        """Return under which names of hosts it may have been asked itself, the best one first.

        ``sunk fabric collect --pods`` names it with its namespace; Slurm, and whoever took texts by
        hand, by its name alone.
        """
        return f"{self.pod.name}.{self.pod.namespace}", self.pod.name


def parse(content: Content) -> Parsed[tuple[PodAttachments, ...]]:
    """Return the Pods with what they got; a status that cannot be read is damage."""
    read = json_text.decode(content, tuple[PodNetworks, ...], ())
    found, damage = [], list(read.damage)
    for pod in read.value:
        attached: tuple[Attachment, ...] = ()
        if pod.status:
            try:
                attached = msgspec.json.decode(pod.status, type=tuple[Attachment, ...])
            except (msgspec.MsgspecError, RecursionError, ValueError) as exc:
                where = printable(f"{pod.namespace}/{pod.name}: {exc}")
                damage.append(f"the network status of Pod {where}")
        found.append(PodAttachments(pod=pod, attached=attached))
    return Parsed(
        value=tuple(found), lines=read.lines, unknown=0, quoted=(), damage=tuple(damage[:5])
    )
