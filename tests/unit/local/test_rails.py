"""The simulated part of sysfs reads as a driver's does, and names match across all stand-ins."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from sunk.local.layout import Node, cluster_layout, nodes
from sunk.local.rails import SYSFS, Rail, lay_out, objects, rails, rdma_device
from sunk.model.kube import kind_of, name_of
from sunk_fabric.parse.sriov_state import NodeState
from sunk_jobs.sysfs_rdma import read

LAYOUT = cluster_layout("t", Path("/s"))


@pytest.fixture
def sysfs(tmp_path) -> Path:
    lay_out(tmp_path, Node(number=1), 2)
    return tmp_path


def test_every_adapter_and_function_is_an_active_rdma_device(sysfs):
    found = {one.name: one for one in read(sysfs).devices}
    assert {name: (one.pci[0].address, one.is_vf) for name, one in found.items()} == {
        "mlx5_0": ("0000:3b:00.0", False),
        "mlx5_1": ("0000:3b:00.1", True),
        "mlx5_2": ("0000:3b:00.2", True),
        "mlx5_3": ("0000:3c:00.0", False),
        "mlx5_4": ("0000:3c:00.1", True),
        "mlx5_5": ("0000:3c:00.2", True),
    }
    ports = [one.ports[0] for one in found.values()]
    assert {(one.values["state"], one.gids[0].type) for one in ports} == {("4: ACTIVE", "RoCE v2")}
    assert len({one.gids[0].gid for one in ports}) == 6
    assert [len(found[name].vfs) for name in ("mlx5_0", "mlx5_3")] == [2, 2]


def test_a_boot_lays_out_over_what_is_there(sysfs):
    before = read(sysfs)
    lay_out(sysfs, Node(number=1), 2)
    assert read(sysfs) == before


def test_the_rdma_device_of_a_function_is_found_and_none_where_the_driver_made_none(sysfs):
    assert rdma_device(sysfs, "0000:3c:00.2") == "mlx5_5"
    assert rdma_device(sysfs, "0000:3d:00.1") == ""


def test_objects_name_each_rail_and_its_functions_alike():
    made = objects(LAYOUT, nodes(2), 2)
    assert [(kind_of(one).name, name_of(one)) for one in made[-6:]] == [
        ("NetworkAttachmentDefinition", "rail-0"),
        ("SriovNetworkNodePolicy", "rail-0"),
        ("NetworkAttachmentDefinition", "rail-1"),
        ("SriovNetworkNodePolicy", "rail-1"),
        ("SriovNetworkNodeState", "node1"),
        ("SriovNetworkNodeState", "node2"),
    ]
    state = msgspec.convert(made[-1], NodeState)
    listed = {vf.pci_address for one in state.status.interfaces for vf in one.vfs}
    assert listed == {rail.address(one) for rail in rails(2) for one in rail.functions}
    networks = [one for one in made if one["kind"] == "NetworkAttachmentDefinition"]
    ipam = [json.loads(one["spec"]["config"])["ipam"] for one in networks]
    assert {one["dataDir"] for one in ipam} == {"/s/local/t/addresses"}
    assert len({json.dumps(one["ranges"]) for one in ipam}) == 2


def test_without_rails_nothing_is_applied():
    assert objects(LAYOUT, nodes(2), 0) == ()


def test_nodes_have_it_below_a_folder_of_their_own():
    assert Path(SYSFS).is_relative_to("/var/lib/kubelet")
    assert Rail(7).address(2) == "0000:42:00.2"
