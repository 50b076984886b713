"""The annotation ``k8s.v1.cni.cncf.io/network-status`` of a Pod.

Kubernetes Network Custom Resource Definition De-facto Standard 1.3, section 3.5; what the
device plugin adds is the device information specification 1.1.0.
"""

from __future__ import annotations

import msgspec

from sunk_fabric.parse import json_text
from sunk_fabric.parse.text import Content, Parsed


class Pci(msgspec.Struct, frozen=True, kw_only=True, rename="kebab"):
    """A PCI device that was handed to the Pod.

    Attributes:
        pci_address: ``0000:9c:00.3``.
        rdma_device: ``mlx5_4``; empty with older device plugins.
    """

    pci_address: str
    rdma_device: str = ""


class DeviceInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What kind of device is behind an interface.

    Attributes:
        type: ``pci``, ``vhost-user``, ``memif`` and more.
        version: of the specification.
        pci: for type ``pci``.
    """

    type: str
    version: str = ""
    pci: Pci | None = None


class Attachment(msgspec.Struct, frozen=True, kw_only=True, rename="kebab"):
    """One network of a Pod.

    Attributes:
        name: ``namespace/name`` of the NetworkAttachmentDefinition, or the cluster's own network.
        interface: in the Pod; empty for some default networks.
        ips: addresses.
        mac: hardware address; empty where there is none.
        default: whether it is the cluster's own network.
        device_info: the device behind it; none for plain interfaces.
    """

    name: str
    interface: str = ""
    ips: tuple[str, ...] = ()
    mac: str = ""
    default: bool = False
    device_info: DeviceInfo | None = None


def parse(content: Content) -> Parsed[tuple[Attachment, ...]]:
    """Return the networks of one Pod."""
    return json_text.decode(content, tuple[Attachment, ...], ())
