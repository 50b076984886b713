"""Slurm, mounts, partitions, modules and managers: a good text, and one fault each."""

from __future__ import annotations

import pytest

from sunk_fabric.expected import Expected
from tests.support.fabric_checks import FAIL, PASS, SKIP, UNKNOWN, WARN
from tests.support.fabric_texts import fixtures
from tests.support.simulated_fabric import two_level

TEXTS = {one.format: one.content for one in fixtures()}
PORT, NODE = "node/gpu001/mlx5_0", "node/gpu001"
GPU = "0f:00.0 3D controller: NVIDIA Corporation GH100 [H100 SXM5 80GB] (rev a1)\n"


@pytest.mark.parametrize(
    ("name", "old", "new", "answer"),
    [
        ("ib.link.ber", b"", b"", (PASS, PORT, "symbol error rate 1.5e-254 in 180 min")),
        (
            "ib.link.ber",
            b'[Min]": "180.0',
            b'[Min]": "10.0',
            (UNKNOWN, PORT, "symbol error rate 1.5e-254 in 10 min; 2.1 h are needed"),
        ),
        (
            "ib.link.ber",
            b'Symbol BER": "15E-255',
            b'Symbol BER": "2E-12',
            (FAIL, PORT, "symbol error rate 2.0e-12"),
        ),
        (
            "ib.link.ber",
            b'Symbol BER": "15E-255',
            b'Symbol BER": "2E-15',
            (WARN, PORT, "symbol error rate 2.0e-15"),
        ),
        (
            "ib.link.ber",
            b'Symbol BER": "15E-255',
            b'Symbol BER": "N/A',
            (UNKNOWN, PORT, "the symbol error rate is not told"),
        ),
        ("ib.cable.ddm", b"", b"", (PASS, PORT, "2 values in their ranges")),
        (
            "ib.cable.ddm",
            b'"49 [',
            b'"91 [',
            (WARN, PORT, "Temperature [C]: 91 [-10..80]"),
        ),
        (
            "ib.cable.ddm",
            b'"Module FW Fault": "0"',
            b'"Module FW Fault": "1"',
            (FAIL, PORT, "Module FW Fault: 1"),
        ),
    ],
)
def test_links_and_modules_are_judged(name, old, new, answer, check):
    assert old in TEXTS["mlxlink"]
    text = TEXTS["mlxlink"].replace(old, new) if old else TEXTS["mlxlink"]
    assert check(name, {"gpu001/mlxlink.txt": text}) == [answer]


def test_nodes_of_slurm_are_judged_by_their_state(check):
    assert check("sched.state", {"slurm_nodes.txt": TEXTS["slurm_nodes"]}) == [
        (PASS, "node/gpu001", "IDLE"),
        (FAIL, "node/gpu002", "DRAIN+IDLE: fan failed"),
        (FAIL, "node/gpu003", "DOWN: Not responding, does not respond"),
    ]


def test_state_that_nobody_knows_is_unknown(check):
    text = TEXTS["slurm_nodes"].replace(b"State=IDLE ", b"State=SPLENDID ")
    found = check("sched.state", {"slurm_nodes.txt": text})
    assert found[0] == (UNKNOWN, "node/gpu001", "SPLENDID, a state nobody knows")


@pytest.mark.parametrize(("count", "verdict"), [(8, PASS), (7, FAIL)])
def test_slurm_and_the_pci_bus_must_count_alike(count, verdict, check):
    files = {
        "slurm_nodes.txt": TEXTS["slurm_nodes"],
        "gpu001/lspci.txt": "".join(f"{at:02x}{GPU[2:]}" for at in range(count)).encode(),
    }
    found = check("sched.gres", files)
    assert found[0] == (verdict, "node/gpu001", f"GPUs of Slurm: 8, the PCI bus: {count}")
    assert found[1][0] is UNKNOWN


def slurm_topology(hosts):
    half = len(hosts) // 2
    rows = ((f"leaf{at}", part) for at, part in enumerate((hosts[:half], hosts[half:]), 1))
    return "".join(
        f"SwitchName={name} Level=0 LinkSpeed=1 Nodes={','.join(part)}\n" for name, part in rows
    ).encode()


def test_slurm_topology_is_compared_with_the_scan(check):
    scan = two_level(leaves=2, hosts_per_leaf=4)
    found = check("ib.nodedesc.sane", {"ibnetdiscover.txt": scan.text()})
    assert found[0][0] is PASS
    hosts = sorted({one.partition(" ")[0] for one in descriptions(scan)})
    files = {"ibnetdiscover.txt": scan.text(), "slurm_topology.txt": slurm_topology(hosts)}
    assert {one[0] for one in check("sched.topology", files)} == {PASS}
    swapped = [hosts[4], *hosts[1:4], hosts[0], *hosts[5:]]
    files["slurm_topology.txt"] = slurm_topology(swapped)
    wrong = [one[:2] for one in check("sched.topology", files) if one[0] is not PASS]
    assert wrong == [(FAIL, f"fabric/node/{hosts[0]}"), (FAIL, f"fabric/node/{hosts[4]}")]
    files["slurm_topology.txt"] = slurm_topology([*hosts[:7], "elsewhere"])
    strange = [one[:2] for one in check("sched.topology", files) if one[0] is not PASS]
    assert strange == [(UNKNOWN, "fabric/node/elsewhere")]


def descriptions(scan):
    import re

    return re.findall(r'Ca\t1 "H-\w+"\s+# "([^"]+)"', scan.text().decode())


MOUNTS = {"/home": "rdma", "/scratch": "rdma", "/soft": "tcp"}


@pytest.mark.parametrize(
    ("point", "transport", "answer"),
    [
        ("/home", "rdma", (PASS, "nfs4 over rdma, rdma declared")),
        ("/scratch", "rdma", (PASS, "lustre over rdma, rdma declared")),
        ("/soft", "rdma", (FAIL, "nfs4 over tcp, rdma declared")),
        ("/proc", "rdma", (UNKNOWN, "proc does not tell its transport")),
        ("/proc", "any", (PASS, "proc from proc")),
        ("/data", "rdma", (FAIL, "nothing is mounted at /data")),
    ],
)
def test_mounts_are_those_declared(point, transport, answer, check):
    files = {"gpu001/proc_mounts.txt": TEXTS["proc_mounts"]}
    expected = Expected(mounts={point: transport})
    assert check("storage.mount", files, expected) == [
        (answer[0], f"{NODE}/{point.strip('/')}", answer[1])
    ]


@pytest.mark.parametrize(
    ("there", "declared", "answer"),
    [
        (["0xffff"], ("0xffff",), (PASS, "0xffff")),
        (["0x7fff"], ("0xffff",), (FAIL, "missing: 0xffff; more: 0x7fff")),
        (["0xffff"], (), (UNKNOWN, "0xffff; no keys are declared")),
    ],
)
def test_partition_keys_are_those_declared(there, declared, answer, check):
    port = {"number": 1, "values": {"link_layer": "InfiniBand"}, "pkeys": there}
    view = {"has_rdma": True, "devices": [{"name": "mlx5_0", "ports": [port]}]}
    found = check("ib.pkey", {"gpu001/sysfs_rdma.txt": view}, Expected(pkeys=declared))
    assert found == [(answer[0], f"{PORT}/1", answer[1])]


@pytest.mark.parametrize(
    ("states", "hello", "declared", "verdict"),
    [
        (("active", "inactive"), False, True, PASS),
        (("active", "active"), False, True, FAIL),
        (("inactive", "unknown"), False, True, UNKNOWN),
        (("inactive", "unknown"), False, False, SKIP),
        (("inactive", "unknown"), True, True, PASS),
    ],
)
def test_one_aggregation_manager_runs(states, hello, declared, verdict, check):
    files = {f"m{at}/sharp_manager.txt": f"{one}\n".encode() for at, one in enumerate(states)}
    if hello:
        files["gpu001/sharp_hello.txt"] = next(
            one.content for one in fixtures() if (one.format, one.name) == ("sharp_hello", "passed")
        )
    found = check("sharp.am.running", files, Expected(sharp=declared))
    assert [one[0] for one in found] == [verdict]


def test_stages_of_the_vendors_tool_are_told_apart(check):
    found = check("ib.ibdiagnet", {"ibdiagnet_screen.txt": TEXTS["ibdiagnet_screen"]})
    assert [one[:2] for one in found] == [
        (PASS, "fabric/Discovery"),
        (FAIL, "fabric/Links Check"),
        (WARN, "fabric/Port Counters"),
        (PASS, "fabric/SHARP"),
    ]
    cut = TEXTS["ibdiagnet_screen"].partition(b"Summary")[0]
    assert [one[0] for one in check("ib.ibdiagnet", {"ibdiagnet_screen.txt": cut})] == [UNKNOWN]


def test_list_of_cables_serves_as_a_scan(check):
    text = TEXTS["subnet_lst"]
    assert check("ib.guid.unique", {"subnet_lst.txt": text})[0][0] is PASS
    cut = text[: text.rindex(b"{ CA Ports:01 SystemGUID:a088c20300001020")]
    assert check("ib.guid.unique", {"subnet_lst.txt": cut})[0][0] is UNKNOWN
    whole = b"".join(text.splitlines(keepends=True)[:3])
    ((verdict, _, found),) = check("ib.guid.unique", {"subnet_lst.txt": whole})
    assert (verdict, found.partition("] ")[2]) == (UNKNOWN, "does not stand at its other end")
