"""Which network a job takes on a node, from copies of sysfs; a golden file for each kind."""

from __future__ import annotations

import os
import shlex
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sunk_jobs import fabric_env, sysfs_rdma
from sunk_jobs.fabric_env import exports
from sunk_jobs.networks.fabric_choice import Host, Wishes, choose
from sunk_jobs.sysfs_rdma import RdmaDevice, RdmaPort
from tests.support.golden import check_golden
from tests.support.node_trees import AMAZON, Adapter, lay_out

EIGHT = tuple(Adapter(f"mlx5_{number}") for number in range(8))
STORAGE = Adapter("mlx5_8", rate="100 Gb/sec (4X EDR)")
DOWN = Adapter("mlx5_9", state="1: DOWN")
ETHERNET = Adapter("mlx5_bond_0", rate="100 Gb/sec", layer="Ethernet", gid_type="RoCE v2")
ROCE = tuple(
    Adapter(
        f"mlx5_{number}",
        rate="400 Gb/sec",
        layer="Ethernet",
        netdev=f"rail{number}",
        gid_type="RoCE v2",
    )
    for number in range(4)
)
VF = tuple(replace(one, vf=True, netdev=f"net{number + 1}") for number, one in enumerate(ROCE[:2]))
EFA = tuple(
    Adapter(f"rdmap{number}s0", rate="100 Gb/sec", layer="Unspecified", vendor=AMAZON)
    for number in (16, 32)
)
RAILS = {f"rail{number}": 9000 for number in range(4)}
SMI = """\
GPU 00000008:01:00.0
    Fabric
        State                             : Completed
        Status                            : Success
        CliqueId                          : 32766
        ClusterUUID                       : 3b4a2f0c-0000-4000-8000-000000000001
GPU 00000009:01:00.0
    Fabric
        State                             : Completed
        CliqueId                          : 32766
        ClusterUUID                       : 3b4a2f0c-0000-4000-8000-000000000001
GPU 00000018:01:00.0
    Fabric
        State                             : N/A
        ClusterUUID                       : 00000000-0000-0000-0000-000000000000
"""

NODES = {
    "infiniband-8-rails": {
        "adapters": (*EIGHT, STORAGE, DOWN, ETHERNET),
        "nets": {"eth0": 1500, "ib0": 4092},
        "default": "eth0",
    },
    "roce": {"adapters": ROCE, "nets": {**RAILS, "eno1": 1500}, "default": "eno1"},
    "roce-vf-in-a-pod": {
        "adapters": VF,
        "nets": {"eth0": 1450, "net1": 9000, "net2": 9000},
        "default": "eth0",
    },
    "efa": {"adapters": EFA, "nets": {"ens5": 9001}, "default": "ens5"},
    "slingshot": {"nets": {"hsn0": 9000, "eno1": 1500}, "cxi": ("cxi0", "cxi1")},
    "tcp": {"nets": {"eth0": 1500}, "default": "eth0"},
    "tcp-without-a-route": {"nets": {"br1": 1500, "br0": 1500}},
    "nothing": {},
    "mnnvl": {
        "adapters": EIGHT[:4],
        "nets": {"eth0": 1500},
        "default": "eth0",
        "gpus": 4,
        "peer_memory": True,
        "imex_channels": 1,
    },
    "mnnvl-without-a-channel": {"adapters": EIGHT[:4], "nets": {"eth0": 1500}, "gpus": 4},
    "host-with-physical-and-virtual": {
        "adapters": (EIGHT[0], EIGHT[1], replace(EIGHT[2], vf=True, owner="mlx5_1")),
        "nets": {"eth0": 1500},
    },
    "absurd": {
        "adapters": (
            Adapter("mlx5_0"),
            Adapter("mlx5_1", rate="999999 Gb/sec"),
            Adapter("mlx5_2", rate=""),
            Adapter("mlx5_é;$(id)"),
            Adapter("mlx5_4", state=""),
            Adapter("mlx5_5", layer=""),
        ),
        "nets": {"ëth0": 1500},
        "default": "ëth0",
    },
}
"""Simulated: no such node was at hand. The words are those of the kernel's and drivers' sources."""


def ran(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    """Run the program; devices are those of the tree beside sysfs."""
    if "--sysfs" in words:
        words = (*words, "--dev", Path(str(words[words.index("--sysfs") + 1])).parent / "dev")
    status = fabric_env.main([str(word) for word in words])
    said = capsys.readouterr()
    return status, said.out, said.err


@pytest.fixture(autouse=True)
def unlimited(monkeypatch: pytest.MonkeyPatch) -> None:
    limit = fabric_env.resource.RLIM_INFINITY
    monkeypatch.setattr(fabric_env.resource, "getrlimit", lambda _which: (limit, limit))
    monkeypatch.setenv("SLURMD_NODENAME", "gpu-1")
    monkeypatch.setattr(fabric_env.platform, "node", lambda: "gpu-1.site.example")
    for name in os.environ:
        if name.startswith(("NCCL_", "FI_", "UCX_", "SHARP_", "PCIDEVICE_")):
            monkeypatch.delenv(name)


@pytest.mark.parametrize("node", NODES)
def test_variables_of_each_kind_of_node(node, tmp_path, capsys):
    sys, proc = lay_out(tmp_path, **NODES[node])
    kept = tmp_path / "evidence.json"
    words = ("--sysfs", sys, "--proc", proc, "--evidence", kept)
    if node.startswith("mnnvl"):
        (tmp_path / "smi.txt").write_text(SMI)
        words += ("--nvidia-smi", tmp_path / "smi.txt")
    status, out, err = ran(capsys, *words)
    assert status == 0
    check_golden(
        f"fabric_env/{node}.txt", f"{out}--- stderr\n{err}--- evidence\n{kept.read_text()}"
    )


def test_nvlink_domain_is_taken_from_what_nvidia_smi_printed(tmp_path, capsys):
    sys, proc = lay_out(tmp_path, EIGHT, nets={"eth0": 1500}, imex_channels=1)
    (tmp_path / "smi.txt").write_text(SMI)
    words = ("--sysfs", sys, "--proc", proc, "--nvidia-smi", tmp_path / "smi.txt")
    _, out, _ = ran(capsys, *words)
    assert "export NCCL_MNNVL_ENABLE='2'" in out.splitlines()
    assert (
        "# NVLink domain 3b4a2f0c-0000-4000-8000-000000000001.32766, 2 GPUs here"
        in out.splitlines()
    )


def test_vf_whose_network_device_is_not_in_the_pod_is_refused_and_nothing_is_exported(
    tmp_path, capsys
):
    sys, proc = lay_out(tmp_path, VF, nets={"eth0": 1450, "net1": 9000}, default="eth0")
    status, out, err = ran(capsys, "--sysfs", sys, "--proc", proc)
    assert (status, out) == (3, "")
    assert err == (
        "fabric_env: gpu-1: refused: mlx5_1:1: its network device (net2) is not up in this "
        "network namespace\n"
    )


def test_roce_without_an_address_is_refused(tmp_path, capsys):
    bare = replace(ROCE[0], gid_type="IB/RoCE v1")
    sys, proc = lay_out(tmp_path, (bare,), nets=RAILS)
    status, _, err = ran(capsys, "--sysfs", sys, "--proc", proc)
    assert status == 3
    assert "mlx5_0:1 has no GID of RoCE v2" in err


def test_little_locked_memory_is_one_named_warning(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(fabric_env.resource, "getrlimit", lambda _which: (65536, 65536))
    sys, proc = lay_out(tmp_path, EIGHT)
    _, _, err = ran(capsys, "--sysfs", sys, "--proc", proc)
    assert err.count("locked memory is limited to 65536 bytes") == 1


def test_what_the_site_says_wins(tmp_path, capsys):
    sys, proc = lay_out(tmp_path, EIGHT, nets={"eth0": 1500, "mgmt": 1500}, default="eth0")
    words = ("--exclude", "mlx5_7", "--interface", "mgmt", "--queue-pairs", 4)
    _, out, _ = ran(capsys, "--sysfs", sys, "--proc", proc, *words, "--service-level", 1)
    found = dict(
        line.removeprefix("export ").split("=", 1)
        for line in out.splitlines()
        if "=" in line and line[0] != "#"
    )
    assert found["NCCL_IB_HCA"] == "'=" + ",".join(f"mlx5_{n}:1" for n in range(7)) + "'"
    assert found["NCCL_SOCKET_IFNAME"] == "'=mgmt'"
    assert (found["NCCL_IB_QPS_PER_CONNECTION"], found["NCCL_IB_SL"]) == ("'4'", "'1'")


def test_what_the_user_has_set_stays_and_is_told(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("NCCL_IB_HCA", "=mlx5_3:1")
    monkeypatch.setenv("NCCL_IB_GID_INDEX", "3")
    monkeypatch.setenv("NCCL_P2P_DISABLE", "1")
    sys, proc = lay_out(tmp_path, EIGHT[:2])
    _, out, err = ran(capsys, "--sysfs", sys, "--proc", proc)
    assert "export NCCL_IB_HCA" not in out
    assert "# NCCL_IB_HCA is set already; it would be =mlx5_0:1,mlx5_1:1" in out.splitlines()
    assert err.splitlines() == [
        "fabric_env: gpu-1: NCCL_P2P_DISABLE=1 is set: it takes a fast way out of use",
        "fabric_env: gpu-1: NCCL_IB_GID_INDEX is set: the index differs from Pod to Pod",
    ]


def test_adapters_that_were_not_granted_to_the_pod_are_left_out(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("PCIDEVICE_EXAMPLE_COM_RAIL", "0000:02:00.0,0000:04:00.0")
    sys, proc = lay_out(tmp_path, EIGHT)
    _, out, _ = ran(capsys, "--sysfs", sys, "--proc", proc)
    assert "export NCCL_IB_HCA='=mlx5_1:1,mlx5_3:1'" in out.splitlines()
    monkeypatch.setenv("PCIDEVICE_EXAMPLE_COM_RAIL", "0000:f2:00.0")
    _, out, _ = ran(capsys, "--sysfs", sys, "--proc", proc)
    assert out.count("mlx5_7:1") > 0


def test_sharp_is_set_up_over_infiniband_and_told_of_elsewhere(tmp_path, capsys):
    sys, proc = lay_out(tmp_path / "ib", EIGHT)
    _, out, _ = ran(capsys, "--sysfs", sys, "--proc", proc, "--sharp")
    assert "export SHARP_SMX_UCX_INTERFACE='mlx5_0:1'" in out.splitlines()
    sys, proc = lay_out(tmp_path / "tcp", nets={"eth0": 1500})
    _, out, err = ran(capsys, "--sysfs", sys, "--proc", proc, "--sharp")
    assert "SHARP" not in out
    assert "SHARP is asked for, and the fabric is tcp" in err


def test_gpu_memory_that_no_adapter_reaches_is_told(tmp_path, capsys):
    sys, proc = lay_out(tmp_path, EIGHT, gpus=8)
    (proc / "driver/nvidia").mkdir(parents=True)
    (proc / "driver/nvidia/version").write_text("NVRM version: NVIDIA UNIX x86_64 Kernel Module")
    _, _, err = ran(capsys, "--sysfs", sys, "--proc", proc)
    assert "neither nvidia_peermem nor DMA-BUF" in err


def test_default_route_of_least_metric_is_the_one(tmp_path, capsys):
    sys, proc = lay_out(tmp_path, nets={"eth0": 1500, "eth1": 1500})
    row = "{}\t00000000\t0100000A\t0003\t0\t0\t{}\t00000000"
    lines = ["Iface", row.format("eth0", 200), row.format("eth1", 100)]
    (proc / "net/route").write_text("\n".join(lines))
    _, out, _ = ran(capsys, "--sysfs", sys, "--proc", proc)
    assert "export NCCL_SOCKET_IFNAME='=eth1'" in out.splitlines()


def test_evidence_that_cannot_be_kept_is_told_and_nothing_is_exported(tmp_path, capsys):
    sys, proc = lay_out(tmp_path)
    words = ("--sysfs", sys, "--proc", proc, "--evidence", tmp_path / "no" / "such.json")
    status, out, err = ran(capsys, *words)
    assert (status, out) == (95, "")
    assert "cannot keep" in err


def test_gid_index_is_never_set(tmp_path, capsys):
    for number, node in enumerate(NODES.values()):
        sys, proc = lay_out(tmp_path / str(number), **node)
        assert "GID_INDEX" not in ran(capsys, "--sysfs", sys, "--proc", proc)[1]


_TEXT = st.text(max_size=12)
_DEVICES = st.lists(
    st.builds(
        RdmaDevice,
        name=_TEXT,
        ports=st.lists(
            st.builds(
                RdmaPort,
                number=st.integers(1, 2),
                values=st.fixed_dictionaries(
                    {},
                    optional={
                        "state": st.sampled_from(["4: ACTIVE", "1: DOWN", "", "\x00"]),
                        "rate": st.sampled_from(["400 Gb/sec", "", "1e99 Gb/sec", "-1 Gb/sec"]),
                        "link_layer": st.sampled_from(["InfiniBand", "Ethernet", "", "x\n"]),
                    },
                ),
            ),
            max_size=2,
        ),
    ),
    max_size=5,
)


@given(devices=_DEVICES, interface=_TEXT, nets=st.dictionaries(_TEXT, st.integers(0, 9000)))
def test_whatever_a_node_says_each_variable_is_one_export_with_its_very_value(
    devices, interface, nets
):
    host = Host(rdma=sysfs_rdma.Snapshot(has_rdma=True, devices=devices), mtus=nets)
    fabric = choose(host, Wishes(interface=interface))
    text = exports(fabric)
    commands = [words for words in _commands(text) if words]
    assert commands == [["export", f"{one.name}={one.value}"] for one in fabric.settings]


def _commands(text: str) -> list[list[str]]:
    lexer = shlex.shlex(text, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    found: list[list[str]] = []
    for word in lexer:
        if word == "export":
            found.append([])
        found[-1].append(word)
    return found


def test_nodes_without_evidence_are_named_in_a_job_of_a_hundred_thousand(tmp_path, capsys):
    assert fabric_env.main(["--evidence", str(tmp_path / "1.json")]) == 0
    capsys.readouterr()
    words = ["--compare", str(tmp_path / "*.json"), "--nodes", "w[1-100000]"]
    assert fabric_env.main(words) == fabric_env.REFUSED
    said = "fabric_env: nodes differ: w1, w10, w100 and 99997 more: no evidence\n"
    assert capsys.readouterr().err == said
