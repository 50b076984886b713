"""Networks of Pods: what each asked for, what it got, and on which Node it is.

``sunk fabric collect`` writes it from the Pods' list and leaves out the rest of them. Annotations
are those of the Kubernetes Network Custom Resource Definition De-facto Standard 1.3.
"""

from __future__ import annotations

import msgspec

from sunk_fabric.parse import json_text
from sunk_fabric.parse.network_status import Attachment
from sunk_fabric.parse.text import Content, Parsed, printable


class PodNetworks(msgspec.Struct, frozen=True, kw_only=True):
    """One Pod that asked for networks or got some.

    Attributes:
        namespace: its namespace.
        name: its name.
        node: the Node that it is bound to; empty before.
        networks: annotation ``k8s.v1.cni.cncf.io/networks``; empty without.
        status: annotation ``k8s.v1.cni.cncf.io/network-status``; empty without.
    """

    namespace: str
    name: str
    node: str = ""
    networks: str = ""
    status: str = ""


class PodAttachments(msgspec.Struct, frozen=True, kw_only=True):
    """A Pod's networks, read.

    Attributes:
        pod: where it is, and what it asked for.
        attached: what it got.
    """

    pod: PodNetworks
    attached: tuple[Attachment, ...] = ()


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
