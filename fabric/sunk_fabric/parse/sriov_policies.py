"""SriovNetworkNodePolicy objects: ``kubectl get sriovnetworknodepolicies -A -o json``."""

from __future__ import annotations

import msgspec

from sunk_fabric.parse import kube_list
from sunk_fabric.parse.kube_list import Metadata
from sunk_fabric.parse.text import Content, Parsed

KIND = "SriovNetworkNodePolicy"


class NicSelector(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Which cards are meant; what is left out is any.

    Attributes:
        vendor: PCI vendor, ``15b3``.
        device_id: PCI device, ``1021``.
        pf_names: network devices, with a range of functions: ``ens1np0#0-7``.
        root_devices: PCI addresses.
    """

    vendor: str = ""
    device_id: str = msgspec.field(name="deviceID", default="")
    pf_names: tuple[str, ...] = ()
    root_devices: tuple[str, ...] = ()


class PolicySpec(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What is wanted.

    Attributes:
        resource_name: of the functions, without the operator's prefix; the rail.
        node_selector: labels of the Nodes that are meant; all Nodes when empty.
        num_vfs: functions of each card.
        mtu: bytes; nothing when the policy leaves it.
        link_type: ``eth`` or ``ib``; empty when the policy leaves it.
        is_rdma: whether functions must have RDMA devices.
        e_switch_mode: of the embedded switch; empty when the policy leaves it.
        exclude_topology: whether the kubelet is not told the NUMA node.
        nic_selector: which cards are meant.
    """

    resource_name: str = ""
    node_selector: dict[str, str] = {}
    num_vfs: int = 0
    mtu: int | None = None
    link_type: str = ""
    is_rdma: bool = False
    e_switch_mode: str = ""
    exclude_topology: bool = False
    nic_selector: NicSelector = NicSelector()


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """One object.

    Attributes:
        metadata: its name.
        spec: what is wanted.
    """

    metadata: Metadata = Metadata()
    spec: PolicySpec = PolicySpec()

    def selects(self, labels: dict[str, str]) -> bool:
        """Return whether a Node with these labels is meant."""
        return self.spec.node_selector.items() <= labels.items()


def parse(content: Content) -> Parsed[tuple[Policy, ...]]:
    """Return the policies."""
    return kube_list.decode(content, Policy, KIND)
