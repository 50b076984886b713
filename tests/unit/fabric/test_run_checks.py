"""Runs that somebody brings: loopbacks, GPU memory, launchers, servers, repeated benchmarks."""

from __future__ import annotations

import json

import pytest

from sunk_fabric.expected import Expected
from sunk_fabric.parse import perftest
from sunk_fabric.parse.perftest import End
from sunk_jobs.outputs.results import TORCH_COLLECTIVES
from tests.support.fabric_checks import FAIL, PASS, SKIP, UNKNOWN, WARN
from tests.support.fabric_texts import FOLDER
from tests.support.simulated_fabric import two_level

NDR = Expected(port_gbit_per_s=400)
HOST = (FOLDER / "perftest" / "write-bw.txt").read_bytes()
GPU = (FOLDER / "perftest" / "write-bw-gpu.txt").read_bytes()
LATENCY = (FOLDER / "perftest" / "write-lat.txt").read_bytes()
LINE = "of 400 Gb/s x 4096/4122 = 397.5"


def inside(text: bytes) -> bytes:
    """Return the text of a run on InfiniBand, which prints no GID."""
    return b"".join(one for one in text.splitlines(keepends=True) if b" GID:" not in one)


def sysfs(**guids_and_lids: tuple[str, str]):
    """Return a host's adapters by name: GUID and LID of each."""
    return {
        "has_rdma": True,
        "devices": [
            {
                "name": name,
                "values": {"node_guid": guid},
                "ports": [{"number": 1, "values": {"lid": lid}}],
            }
            for name, (guid, lid) in guids_and_lids.items()
        ],
    }


ONE, OTHER = ("0", "0xc"), ("1", "0xd")


def test_ends_of_a_run_are_told_by_lid_and_gid():
    run = perftest.parse(HOST).value
    gid = "0000:0000:0000:0000:0000:ffff:0a00:000{}"
    assert (run.local, run.remote) == (End(12, gid.format(1)), End(13, gid.format(2)))
    assert perftest.parse(inside(HOST)).value.remote == End(13)


@pytest.mark.parametrize(
    ("hosts", "text", "verdict", "words"),
    [
        (
            {"gpu001": sysfs(mlx5_0=ONE, mlx5_1=OTHER)},
            HOST,
            PASS,
            f"gpu001: mlx5_0 to mlx5_1: 393.5 Gb/s is 0.990 {LINE}",
        ),
        (
            {"gpu001": sysfs(mlx5_0=ONE, mlx5_1=OTHER)},
            HOST.replace(b"393.48", b"228.00"),
            FAIL,
            f"gpu001: mlx5_0 to mlx5_1: 228.0 Gb/s is 0.574 {LINE}",
        ),
        (
            {"gpu001": sysfs(mlx5_0=ONE), "gpu002": sysfs(mlx5_0=OTHER)},
            HOST,
            SKIP,
            "between gpu001 and gpu002",
        ),
        (
            {"gpu001": sysfs(mlx5_0=ONE)},
            HOST,
            UNKNOWN,
            "whose adapters its addresses are, no host that was collected tells",
        ),
        (
            # Two subnets give the same numbers to different ports.
            {"gpu001": sysfs(mlx5_0=ONE, mlx5_1=OTHER), "gpu002": sysfs(mlx5_0=OTHER)},
            HOST,
            UNKNOWN,
            "whose adapters its addresses are, no host that was collected tells",
        ),
        (
            {"gpu001": sysfs(mlx5_0=ONE)},
            HOST.replace(b"LID 0x0d", b"LID 0x0c"),
            SKIP,
            "mlx5_0 with itself: no way of the host is measured",
        ),
        ({"gpu001": sysfs(mlx5_0=ONE)}, LATENCY, SKIP, "a latency test"),
    ],
)
def test_loopback_is_a_run_between_two_adapters_of_a_host(hosts, text, verdict, words, check):
    files = {f"{name}/sysfs_rdma.json": view for name, view in hosts.items()}
    files["gpu001/perftest.x.txt"] = inside(text)
    assert check("rdma.loopback.bandwidth", files, NDR) == [(verdict, "run/x", words)]


@pytest.mark.parametrize(
    ("ports", "verdict", "words"),
    [
        ((0, 1), PASS, "it left the host by leaf0 alone: its figure is the host's"),
        ((0, 2), WARN, "it went from leaf0 to leaf1: its figure is the fabric's too"),
    ],
)
def test_scope_of_a_loopback_is_the_leaves_of_its_adapters(ports, verdict, words, check):
    made = two_level(leaves=2, hosts_per_leaf=2)
    adapters = [f"node{number:04} mlx5_0" for number in ports]
    near, far = (f"{made.guids[one]:016x}" for one in adapters)
    files = {
        "gpu001/sysfs_rdma.json": sysfs(mlx5_0=(near, "0xc"), mlx5_1=(far, "0xd")),
        "gpu001/perftest.x.txt": inside(HOST),
        "ibnetdiscover.txt": made.text(),
    }
    assert check("rdma.loopback.scope", files) == [(verdict, "run/x", words)]


def test_scope_without_a_scan_is_unknown(check):
    files = {
        "gpu001/sysfs_rdma.json": sysfs(mlx5_0=ONE, mlx5_1=OTHER),
        "gpu001/perftest.x.txt": inside(HOST),
    }
    assert [one[0] for one in check("rdma.loopback.scope", files)] == [UNKNOWN]


@pytest.mark.parametrize(
    ("rate", "verdict", "words"),
    [
        (b"391.02", PASS, "391.0 Gb/s with GPU memory, 393.5 without: 0.99"),
        (b"240.00", FAIL, "240.0 Gb/s with GPU memory, 393.5 without: 0.61"),
    ],
)
def test_gpu_memory_is_as_fast_as_the_hosts(rate, verdict, words, check):
    files = {
        "gpu001/perftest.gpu.txt": GPU.replace(b"391.02", rate),
        "gpu001/perftest.host.txt": HOST,
    }
    assert check("rdma.pair.gdr", files) == [(verdict, "run/gpu/gpu001/mlx5_0", words)]


def test_runs_to_other_ends_are_not_compared(check):
    files = {
        "gpu001/perftest.gpu.txt": GPU.replace(b"10:00:00:02", b"10:00:00:09"),
        "gpu001/perftest.host.txt": HOST,
    }
    assert {one[0] for one in check("rdma.pair.gdr", files)} == {UNKNOWN}


UCX = (FOLDER / "ucx_log" / "rdma.txt").read_bytes()


@pytest.mark.parametrize(
    ("text", "verdict", "words"),
    [
        (UCX, PASS, "rc_mlx5 by mlx5_0:1, rc_mlx5 by mlx5_2:1"),
        (UCX.replace(b"rc_mlx5/mlx5_2:1", b"tcp/eth0"), FAIL, "rc_mlx5 by mlx5_0:1, tcp by eth0"),
        (
            UCX.replace(b"inter-node", b"intra-node"),
            UNKNOWN,
            "no way between nodes is told of: the server had no peer on another",
        ),
    ],
)
def test_server_moves_its_caches_over_rdma(text, verdict, words, check):
    found = check("app.server.ready", {"gpu001/ucx_log.decode.txt": text})
    assert found == [(verdict, "run/decode/gpu001:77", words)]


PLACES = (FOLDER / "job_places" / "two-nodes.txt").read_bytes()
RANKS = json.loads((FOLDER / "collectives" / "four.json").read_text())


@pytest.mark.parametrize(("promised", "verdict"), [(2, PASS), (3, UNKNOWN), (None, UNKNOWN)])
def test_job_of_the_promised_size_has_run(promised, verdict, check):
    found = check("sched.gang", {"job_places.txt": PLACES}, Expected(job_nodes=promised))
    assert [one[0] for one in found] == [verdict]


@pytest.mark.parametrize(
    ("change", "promised", "verdict"),
    [
        ({}, 4, PASS),
        ({}, 5, UNKNOWN),
        ({}, None, UNKNOWN),
        ({"hosts": ["n0", "n0", "n1", "n1"]}, 4, UNKNOWN),
        ({"schema": TORCH_COLLECTIVES}, 4, SKIP),
    ],
)
def test_ranks_of_mpi_found_each_other_at_size(change, promised, verdict, check):
    files = {"collectives.json": RANKS | change}
    found = check("runtime.pmi", files, Expected(job_nodes=promised))
    assert [one[0] for one in found] == [verdict]


TABLE = (FOLDER / "nccl_tests" / "all-reduce.txt").read_bytes()


def repeated(*rates: str) -> dict[str, bytes]:
    last = TABLE.decode().split("\n")
    (old,) = {one.split()[7] for one in last if one.split()[:1] == ["17179869184"]}
    return {
        f"nccl_tests.run{at}.txt": TABLE.replace(old.encode(), rate.encode())
        for at, rate in enumerate(rates)
    }


@pytest.mark.parametrize(
    ("rates", "verdict"),
    [
        (("480.10", "481.00", "479.50"), PASS),
        (("480.10", "440.00", "500.00"), WARN),
        (("480.10", "300.00", "481.00"), FAIL),
        (("480.10", "300.00"), UNKNOWN),
    ],
)
def test_repeated_runs_agree(rates, verdict, check):
    found = check("nccl.bandwidth.variance", repeated(*rates))
    assert [one[0] for one in found] == [verdict]


DIAGNET = (FOLDER / "ibdiagnet_db" / "two-leaves.txt").read_bytes()


@pytest.mark.parametrize(
    ("old", "new", "verdict", "words"),
    [
        (b"", b"", PASS, "firmware 31.2012.4150 on 3"),
        (
            b"0xe8ebd30300020000,0x257,MT_0000000063,0x1f,0x7dc,0x1036",
            b"0xe8ebd30300020000,0x257,MT_0000000063,0x1f,0x7da,0x1036",
            WARN,
            "firmware 31.2012.4150 on 2, 31.2010.4150 on 1",
        ),
    ],
)
def test_switches_of_a_kind_have_one_firmware(old, new, verdict, words, check):
    found = check("ib.fw.switch", {"ibdiagnet_db.txt": DIAGNET.replace(old, new)})
    assert found == [(verdict, "fabric/switches of device 54002", words)]


def test_switch_whose_firmware_nobody_tells_is_unknown(check):
    cut = DIAGNET.replace(
        b"0xe8ebd30300030000,0x257,MT_0000000063,0x1f",
        b"0xe8ebd30300030000,0x257,MT_0000000063,N/A",
    )
    found = check("ib.fw.switch", {"ibdiagnet_db.txt": cut})
    assert [one[0] for one in found] == [UNKNOWN, PASS]
    assert found[0][2] == "no firmware is told of 1 switches: spine0"
