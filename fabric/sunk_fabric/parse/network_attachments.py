"""NetworkAttachmentDefinition objects: ``kubectl get net-attach-def -A -o json``.

Kubernetes Network Custom Resource Definition De-facto Standard 1.3, section 3.
"""

from __future__ import annotations

from typing import Any

import msgspec

from sunk_fabric.parse import kube_list
from sunk_fabric.parse.kube_list import Metadata
from sunk_fabric.parse.text import Content, Parsed

KIND = "NetworkAttachmentDefinition"
RESOURCE = "k8s.v1.cni.cncf.io/resourceName"


class AttachmentSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What is attached.

    Attributes:
        config: CNI configuration as JSON in a text; empty when it is on the nodes.
    """

    config: str = ""


class Definition(msgspec.Struct, frozen=True, kw_only=True):
    """One object.

    Attributes:
        metadata: names, and the resource in an annotation.
        spec: what is attached.
    """

    metadata: Metadata = Metadata()
    spec: AttachmentSpec = AttachmentSpec()

    @property
    def name(self) -> str:
        """Return ``namespace/name``, as Pods name it."""
        return f"{self.metadata.namespace}/{self.metadata.name}"

    @property
    def resource(self) -> str:
        """Return the resource that a Pod with it has to ask for; empty when it needs none."""
        return self.metadata.annotations.get(RESOURCE, "")

    @property
    def plugins(self) -> tuple[str, ...] | None:
        """Return the types of the plugins in their order; nothing when the text is no CNI one."""
        try:
            config = msgspec.json.decode(self.spec.config, type=dict[str, Any])
        except (msgspec.MsgspecError, RecursionError, ValueError):
            return None
        listed = config.get("plugins", [config])
        if not isinstance(listed, list):
            return None
        types = [one.get("type") if isinstance(one, dict) else None for one in listed]
        if not types or not all(isinstance(one, str) and one for one in types):
            return None
        return tuple(str(one) for one in types)


def parse(content: Content) -> Parsed[tuple[Definition, ...]]:
    """Return the definitions."""
    return kube_list.decode(content, Definition, KIND)
