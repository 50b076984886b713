"""SriovNetworkNodeState objects: ``kubectl get sriovnetworknodestates -A -o json``."""

from __future__ import annotations

import msgspec

from sunk_fabric.parse import kube_list
from sunk_fabric.parse.kube_list import Metadata
from sunk_fabric.parse.text import Content, Parsed

KIND = "SriovNetworkNodeState"


class VfGroup(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Functions of one resource.

    Attributes:
        resource_name: without the operator's prefix.
        vf_range: their numbers, ``0-7``.
        policy_name: of the policy that made it.
    """

    resource_name: str = ""
    vf_range: str = ""
    policy_name: str = ""

    def has(self, number: int) -> bool:
        """Return whether a function of this number belongs to it; a range that is none has all."""
        first, _, last = self.vf_range.rpartition("-")
        if not (last.isascii() and last.isdigit()):
            return True
        start = first if first.isascii() and first.isdigit() else last
        return int(start) <= number <= int(last)


class SpecInterface(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What is wanted of one physical function.

    Attributes:
        pci_address: which.
        num_vfs: how many virtual functions.
        mtu: bytes; nothing when the policy leaves it.
        vf_groups: which functions belong to which resource.
    """

    pci_address: str
    num_vfs: int = 0
    mtu: int | None = None
    vf_groups: tuple[VfGroup, ...] = ()


class Vf(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One virtual function as the operator sees it.

    Attributes:
        vf_id: its number.
        pci_address: which.
        mtu: bytes; nothing when not told.
        driver: bound to it; empty for none.
    """

    vf_id: int = msgspec.field(name="vfID")
    pci_address: str
    mtu: int | None = None
    driver: str = ""


class StatusInterface(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What is there of one physical function.

    Attributes:
        pci_address: which.
        name: network device.
        total_vfs: what the firmware allows.
        num_vfs: how many there are.
        mtu: bytes; nothing when not told.
        link_type: ``ETH`` or ``IB``.
        e_switch_mode: of the embedded switch; empty when not told.
        vendor: PCI vendor.
        device_id: PCI device.
        vfs: the virtual functions.
    """

    pci_address: str
    name: str = ""
    total_vfs: int = msgspec.field(name="totalvfs", default=0)
    num_vfs: int = 0
    mtu: int | None = None
    link_type: str = ""
    e_switch_mode: str = ""
    vendor: str = ""
    device_id: str = msgspec.field(name="deviceID", default="")
    vfs: tuple[Vf, ...] = msgspec.field(name="Vfs", default=())


class Spec(msgspec.Struct, frozen=True, kw_only=True):
    """What is wanted.

    Attributes:
        interfaces: physical functions.
    """

    interfaces: tuple[SpecInterface, ...] = ()


class Status(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What is there.

    Attributes:
        sync_status: Succeeded, InProgress, Failed; empty before the first time.
        last_sync_error: in the operator's words.
        interfaces: physical functions.
    """

    sync_status: str = ""
    last_sync_error: str = ""
    interfaces: tuple[StatusInterface, ...] = ()


class NodeState(msgspec.Struct, frozen=True, kw_only=True):
    """One object.

    Attributes:
        metadata: its name, which is the Node's.
        spec: what is wanted.
        status: what is there.
    """

    metadata: Metadata = Metadata()
    spec: Spec = Spec()
    status: Status = Status()


def parse(content: Content) -> Parsed[tuple[NodeState, ...]]:
    """Return the objects of a list, or the one object."""
    return kube_list.decode(content, NodeState, KIND)
