"""Simulated rails of a local cluster: functions with RDMA devices, and the objects that name them.

STAND-INS: there is no adapter, and no SR-IOV operator. Simulated are the functions and what sysfs
says of them (`sysfs`), and the objects that the operator would keep (`objects`); the networks are
real ones: a bridge in each node for each rail, joined by cables; `sunk.local.attach_networks` puts
Pods on them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from sunk.local.layout import Layout, Node
from sunk.model.kube import KubeObject
from sunk.resources import data_folder

SYSFS = "/var/lib/kubelet/simulated/sys"
"""Where a node, and each container for what it was given, finds the simulated part of sysfs."""
FUNCTIONS_EACH = 2
"""Virtual functions of each rail on each node."""
LIMIT = 8
NAMESPACE = "default"
"""Of the network attachments."""
OPERATOR_NAMESPACE = "sriov-network-operator"
DOMAIN = "sunk.dev"
_FIRST_BUS = 0x3B


@dataclass(frozen=True, slots=True)
class Rail:
    """One adapter of each node.

    Attributes:
        number: 0, 1, …
    """

    number: int

    @property
    def name(self) -> str:
        """Name of the resource, without its domain, and of the network."""
        return f"rail-{self.number}"

    @property
    def resource(self) -> str:
        """Name of the resource."""
        return f"{DOMAIN}/{self.name}"

    def address(self, function: int = 0) -> str:
        """Return the PCI address of the adapter, or of a virtual function 1, 2, …."""
        return f"0000:{_FIRST_BUS + self.number:02x}:00.{function}"

    def device(self, function: int = 0) -> str:
        """Return the name of the RDMA device."""
        return f"mlx5_{self.number * (FUNCTIONS_EACH + 1) + function}"

    @property
    def functions(self) -> tuple[int, ...]:
        """Return the numbers of the virtual functions."""
        return tuple(range(1, FUNCTIONS_EACH + 1))


def rails(count: int) -> tuple[Rail, ...]:
    """Return all rails."""
    return tuple(Rail(number) for number in range(count))


def rdma_device(sysfs: Path, address: str) -> str:
    """Return the RDMA device of a function; none when empty."""
    for one in sorted((sysfs / "class/infiniband").glob("*/device")):
        if one.readlink().name == address:
            return one.parent.name
    return ""


def lay_out(sysfs: Path, node: Node, count: int) -> None:
    """Write what sysfs says of a node's adapters and functions, as their driver lays it out."""
    for rail in rails(count):
        for function in (0, *rail.functions):
            device = sysfs / "devices/pci0000:00" / rail.address(function)
            _write(device / "vendor", "0x15b3")
            _write(device / "numa_node", str(rail.number % 2))
            if function:
                _link(device / "physfn", f"../{rail.address()}")
                _link(device.parent / rail.address() / f"virtfn{function - 1}", f"../{device.name}")
            _link(device / "driver", "../../../bus/pci/drivers/mlx5_core")
            _lay_out_port(sysfs, node, rail, function)
        adapter = sysfs / "devices/pci0000:00" / rail.address()
        _write(adapter / "sriov_numvfs", str(FUNCTIONS_EACH))
        _write(adapter / "sriov_totalvfs", str(FUNCTIONS_EACH))


def _lay_out_port(sysfs: Path, node: Node, rail: Rail, function: int) -> None:
    folder = sysfs / "class/infiniband" / rail.device(function)
    words = {"state": "4: ACTIVE", "phys_state": "5: LinkUp", "link_layer": "Ethernet"}
    for name, word in (words | {"rate": "400 Gb/sec (4X NDR)"}).items():
        _write(folder / "ports/1" / name, word)
    last = f"{node.number:02x}{rail.number:x}{function:x}"
    _write(folder / "ports/1/gids/0", f"0000:0000:0000:0000:0000:ffff:0a4d:{last}")
    _write(folder / "ports/1/gid_attrs/types/0", "RoCE v2")
    _link(folder / "device", f"../../../devices/pci0000:00/{rail.address(function)}")


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text + "\n")


def _link(link: Path, target: str) -> None:
    link.parent.mkdir(parents=True, exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(target)


def objects(layout: Layout, nodes: Sequence[Node], count: int) -> tuple[KubeObject, ...]:
    """Return what to apply: definitions, rights of the CNI plugin, networks, operator's objects."""
    if not count:
        return ()
    text = (data_folder("deploy") / "local" / "rails.yaml").read_text()
    return (*yaml.safe_load_all(text), *_objects(layout, nodes, count))


def _objects(layout: Layout, nodes: Sequence[Node], count: int) -> Iterator[KubeObject]:
    for rail in rails(count):
        yield _network(layout, rail)
        yield _policy(rail)
    for node in nodes:
        yield _state(node, count)


def _network(layout: Layout, rail: Rail) -> KubeObject:
    config = {
        "cniVersion": "1.0.0",
        "name": rail.name,
        "type": "bridge",
        "bridge": rail.name,
        "ipam": {
            "type": "host-local",
            "ranges": [[{"subnet": f"10.77.{rail.number}.0/24"}]],
            # One ledger for all nodes, which share this machine's disk: no address twice.
            "dataDir": str(layout.home / "addresses"),
        },
    }
    return {
        "apiVersion": "k8s.cni.cncf.io/v1",
        "kind": "NetworkAttachmentDefinition",
        "metadata": {
            "name": rail.name,
            "namespace": NAMESPACE,
            "annotations": {"k8s.v1.cni.cncf.io/resourceName": rail.resource},
        },
        "spec": {"config": json.dumps(config)},
    }


def _policy(rail: Rail) -> KubeObject:
    return {
        "apiVersion": "sriovnetwork.openshift.io/v1",
        "kind": "SriovNetworkNodePolicy",
        "metadata": {"name": rail.name, "namespace": OPERATOR_NAMESPACE},
        "spec": {
            "resourceName": rail.name,
            "numVfs": FUNCTIONS_EACH,
            "isRdma": True,
            "deviceType": "netdevice",
            "linkType": "eth",
            "nodeSelector": {"kubernetes.io/os": "linux"},
            "nicSelector": {"rootDevices": [rail.address()]},
        },
    }


def _state(node: Node, count: int) -> KubeObject:
    return {
        "apiVersion": "sriovnetwork.openshift.io/v1",
        "kind": "SriovNetworkNodeState",
        "metadata": {"name": node.name, "namespace": OPERATOR_NAMESPACE},
        "spec": {"interfaces": [_wanted(rail) for rail in rails(count)]},
        "status": {
            "syncStatus": "Succeeded",
            "interfaces": [_there(rail) for rail in rails(count)],
        },
    }


def _wanted(rail: Rail) -> KubeObject:
    group = {
        "resourceName": rail.name,
        "policyName": rail.name,
        "vfRange": f"0-{FUNCTIONS_EACH - 1}",
        "deviceType": "netdevice",
        "isRdma": True,
    }
    return {"pciAddress": rail.address(), "numVfs": FUNCTIONS_EACH, "vfGroups": [group]}


def _there(rail: Rail) -> KubeObject:
    return {
        "pciAddress": rail.address(),
        "driver": "mlx5_core",
        "vendor": "15b3",
        "linkType": "ETH",
        "totalvfs": FUNCTIONS_EACH,
        "numVfs": FUNCTIONS_EACH,
        "Vfs": [
            {"vfID": one - 1, "pciAddress": rail.address(one), "driver": "mlx5_core"}
            for one in rail.functions
        ],
    }
