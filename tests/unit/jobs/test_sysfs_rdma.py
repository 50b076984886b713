from __future__ import annotations

import json

import pytest

from sunk_fabric.parse import sysfs_rdma as parser
from sunk_jobs import sysfs_rdma
from sunk_jobs.sysfs_rdma import (
    GidEntry,
    PciFunction,
    RdmaDevice,
    RdmaPort,
    Snapshot,
    SriovCard,
)

BRIDGE = "devices/pci0000:97/0000:97:01.0"


def write(root, path, text):
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


@pytest.fixture
def host(tmp_path):
    """A tree as mlx5 makes it: a device below a bridge, with one virtual function."""
    pci = f"{BRIDGE}/0000:9c:00.0"
    for path, speed in ((BRIDGE, "16.0 GT/s PCIe"), (pci, "32.0 GT/s PCIe")):
        write(tmp_path, f"{path}/current_link_speed", f"{speed}\n")
    write(tmp_path, f"{pci}/numa_node", "1\n")
    write(tmp_path, f"{pci}/sriov_totalvfs", "16\n")
    vf = tmp_path / BRIDGE / "0000:9c:00.1"
    vf.mkdir()
    (tmp_path / pci / "virtfn0").symlink_to(vf)
    device = f"{pci}/infiniband/mlx5_0"
    write(tmp_path, f"{device}/fw_ver", "28.42.1000\n")
    write(tmp_path, f"{device}/ports/1/state", "4: ACTIVE\n")
    write(tmp_path, f"{device}/ports/1/gids/0", "fe80:0000:0000:0000:a088:c203:0000:1001\n")
    write(tmp_path, f"{device}/ports/1/gids/1", "0000:0000:0000:0000:0000:0000:0000:0000\n")
    write(tmp_path, f"{device}/ports/1/gids/10", "0000:0000:0000:0000:0000:ffff:0a00:0001\n")
    write(tmp_path, f"{device}/ports/1/gid_attrs/types/10", "RoCE v2\n")
    write(tmp_path, f"{device}/ports/1/gid_attrs/ndevs/10", "ens1np0\n")
    write(tmp_path, f"{device}/ports/1/pkeys/0", "0xffff\n")
    write(tmp_path, f"{device}/ports/1/pkeys/1", "0x0000\n")
    write(tmp_path, f"{device}/ports/1/counters/symbol_error", "12\n")
    write(tmp_path, f"{device}/ports/1/counters/broken", "N/A (no PMA)\n")
    (tmp_path / device / "device").symlink_to(tmp_path / pci)
    links = tmp_path / "class" / "infiniband"
    links.mkdir(parents=True)
    (links / "mlx5_0").symlink_to(tmp_path / device)
    return tmp_path


WHOLE = Snapshot(
    has_rdma=True,
    devices=[
        RdmaDevice(
            name="mlx5_0",
            values={"fw_ver": "28.42.1000"},
            ports=[
                RdmaPort(
                    number=1,
                    values={"state": "4: ACTIVE"},
                    gids=[
                        GidEntry(0, "fe80:0000:0000:0000:a088:c203:0000:1001"),
                        GidEntry(
                            10,
                            "0000:0000:0000:0000:0000:ffff:0a00:0001",
                            "RoCE v2",
                            "ens1np0",
                        ),
                    ],
                    pkeys=["0xffff"],
                    counters={"symbol_error": 12},
                )
            ],
            pci=[
                PciFunction(
                    "0000:9c:00.0",
                    {"current_link_speed": "32.0 GT/s PCIe", "numa_node": "1"},
                ),
                PciFunction("0000:97:01.0", {"current_link_speed": "16.0 GT/s PCIe"}),
            ],
            numa_node=1,
            total_vfs=16,
            vfs=["0000:9c:00.1"],
        )
    ],
)


def test_whole_tree_is_read_with_every_bridge_above_the_device(host):
    assert sysfs_rdma.read(host) == WHOLE


def test_network_cards_with_virtual_functions_are_read_without_an_rdma_device(tmp_path):
    bus = "bus/pci/devices"
    for address, kind in (("0000:01:00.0", "0x020000"), ("0000:02:00.0", "0x010802")):
        write(tmp_path, f"{bus}/{address}/class", f"{kind}\n")
        write(tmp_path, f"{bus}/{address}/sriov_totalvfs", "7\n")
        write(tmp_path, f"{bus}/{address}/sriov_numvfs", "1\n")
    write(tmp_path, f"{bus}/0000:01:10.0/class", "0x020000\n")
    (tmp_path / bus / "0000:01:00.0/virtfn0").symlink_to(tmp_path / bus / "0000:01:10.0")
    (tmp_path / bus / "0000:01:00.0/net/eth1").mkdir(parents=True)
    found = sysfs_rdma.read(tmp_path)
    assert found.cards == [
        SriovCard("0000:01:00.0", netdevs=["eth1"], total_vfs=7, num_vfs=1, vfs=["0000:01:10.0"])
    ]
    assert parser.parse(sysfs_rdma.as_json(found).encode()).value == found


def test_program_prints_what_the_parser_reads(host, capsys):
    assert sysfs_rdma.main(["--root", str(host)]) == 0
    parsed = parser.parse(capsys.readouterr().out.encode())
    assert (parsed.value, parsed.sound) == (WHOLE, True)


def test_kernel_without_rdma_is_told_apart_from_one_without_devices(tmp_path):
    assert sysfs_rdma.read(tmp_path) == Snapshot()
    (tmp_path / "class" / "infiniband").mkdir(parents=True)
    assert sysfs_rdma.read(tmp_path) == Snapshot(has_rdma=True)


def test_what_cannot_be_read_is_named_and_the_rest_is_read(host):
    types = host / BRIDGE / "0000:9c:00.0/infiniband/mlx5_0/ports/1/gid_attrs/types"
    (types / "10").unlink()
    (types / "10").mkdir()
    found = sysfs_rdma.read(host)
    assert found.unreadable == {"class/infiniband/mlx5_0/ports/1/gid_attrs/types/10": "EISDIR"}
    assert found.devices[0].ports[0].gids[1] == GidEntry(
        10, "0000:0000:0000:0000:0000:ffff:0a00:0001", "", "ens1np0"
    )


def test_snapshot_of_another_form_is_damage():
    parsed = parser.parse(json.dumps({"devices": [{"name": 7}]}).encode())
    assert parsed.value == Snapshot()
    assert parsed.trouble.startswith("not the JSON of this tool")
