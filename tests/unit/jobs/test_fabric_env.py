"""Which network a job takes on a node, from copies of sysfs; a golden file for each kind."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sunk_jobs import fabric_env, sysfs_rdma
from sunk_jobs.fabric_choice import Host, Wishes, choose, differences
from sunk_jobs.fabric_env import exports
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
}


def ran(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    status = fabric_env.main([str(word) for word in words])
    said = capsys.readouterr()
    return status, said.out, said.err


@pytest.fixture(autouse=True)
def unlimited(monkeypatch: pytest.MonkeyPatch) -> None:
    limit = fabric_env.resource.RLIM_INFINITY
    monkeypatch.setattr(fabric_env.resource, "getrlimit", lambda _which: (limit, limit))
    monkeypatch.setenv("SLURMD_NODENAME", "gpu-1")


@pytest.mark.parametrize("node", NODES)
def test_variables_of_each_kind_of_node(node, tmp_path, capsys):
    sys, proc = lay_out(tmp_path, **NODES[node])
    kept = tmp_path / "evidence.json"
    words = ("--sysfs", sys, "--proc", proc, "--evidence", kept)
    status, out, err = ran(capsys, *words)
    assert status == 0
    check_golden(
        f"fabric_env/{node}.txt", f"{out}--- stderr\n{err}--- evidence\n{kept.read_text()}"
    )


def test_nvlink_domain_is_taken_from_what_nvidia_smi_printed(tmp_path, capsys):
    sys, proc = lay_out(tmp_path, EIGHT, nets={"eth0": 1500}, default="eth0")
    (tmp_path / "smi.txt").write_text(SMI)
    words = ("--sysfs", sys, "--proc", proc, "--nvidia-smi", tmp_path / "smi.txt")
    _, out, _ = ran(capsys, *words)
    assert "export NCCL_MNNVL_ENABLE=2" in out.splitlines()
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
    assert found["NCCL_IB_HCA"] == "=" + ",".join(f"mlx5_{n}:1" for n in range(7))
    assert found["NCCL_SOCKET_IFNAME"] == "=mgmt"
    assert (found["NCCL_IB_QPS_PER_CONNECTION"], found["NCCL_IB_SL"]) == ("4", "1")


def test_gid_index_is_never_set(tmp_path, capsys):
    for number, node in enumerate(NODES.values()):
        sys, proc = lay_out(tmp_path / str(number), **node)
        assert "GID_INDEX" not in ran(capsys, "--sysfs", sys, "--proc", proc)[1]


def evidence_of(tmp_path, capsys, name: str, adapters) -> Path:
    sys, proc = lay_out(tmp_path / name, adapters, nets=RAILS)
    file = tmp_path / f"{name}.json"
    ran(capsys, "--sysfs", sys, "--proc", proc, "--evidence", file)
    found = json.loads(file.read_text()) | {"node": name}
    file.write_text(json.dumps(found))
    return file


def test_node_that_lacks_a_rail_is_named(tmp_path, capsys):
    files = [evidence_of(tmp_path, capsys, name, ROCE) for name in ("gpu-1", "gpu-2", "gpu-4")]
    files.append(evidence_of(tmp_path, capsys, "gpu-3", ROCE[:3]))
    status, _, err = ran(capsys, "--compare", *files)
    assert status == 3
    assert "nodes differ: gpu-3: number of rails 3, elsewhere 4" in err
    assert ran(capsys, "--compare", *files[:3])[0] == 0


@pytest.mark.parametrize("text", ["", "{}", "[]", "not json", '{"node": 1'])
def test_damaged_evidence_is_refused_and_not_compared(tmp_path, capsys, text):
    (tmp_path / "a.json").write_text(text)
    assert ran(capsys, "--compare", tmp_path / "a.json")[0] == 3


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


def test_nodes_that_are_alike_have_no_differences():
    assert differences({"a": {"kind": "tcp"}, "b": {"kind": "tcp"}}) == ()
