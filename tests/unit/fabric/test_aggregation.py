"""Reduction in the network: aggregation nodes, trees that reach all leaves, hosts that use them."""

from __future__ import annotations

import json

import pytest

from sunk.assess.verdict import Verdict
from sunk_fabric import service
from sunk_fabric.expected import Expected
from sunk_fabric.parse import ibdiagnet_sharp
from tests.support.fabric_checks import every
from tests.support.fabric_texts import text
from tests.support.simulated_fabric import Place, Simulated, eight_rail, two_level, with_aggregation

TREES = text("ibdiagnet_sharp", "two-levels")
PASSED, FAILED = text("sharp_hello", "passed"), text("sharp_hello", "no-manager")


def small() -> Simulated:
    """Two leaves, a spine, an aggregation node in each: those of the trees' fixture."""
    return with_aggregation(two_level(leaves=2, spines=1, hosts_per_leaf=2))


def asked(folder, files, name):
    """Return (verdict, subject, found) of one check."""
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    found = service.check(folder, Expected(sharp=True), None, [name])
    return [(one.verdict, one.subject, one.found) for one in found if one.check == name]


def test_every_switch_has_an_aggregation_node(tmp_path):
    found = asked(tmp_path, {"ibnetdiscover.txt": small().text()}, "sharp.an.count")
    assert found == [(Verdict.PASS, "fabric", "3 aggregation nodes, 3 switches")]


def test_switch_whose_aggregation_node_has_no_link_is_named(tmp_path):
    fabric = small()
    fabric.pull(Place("leaf1 aggregation", 1))
    fabric.remove("leaf1 aggregation")
    found = asked(tmp_path, {"ibnetdiscover.txt": fabric.text()}, "sharp.an.count")
    words = "2 aggregation nodes, 3 switches; none at leaf1"
    assert found == [(Verdict.FAIL, "fabric", words)]


def test_tree_with_all_leaves_is_good(tmp_path):
    files = {"ibnetdiscover.txt": small().text(), "ibdiagnet_sharp.txt": TREES}
    assert asked(tmp_path, files, "sharp.trees") == [
        (Verdict.PASS, "fabric", "2 trees; one has all 2 leaves")
    ]


def test_leaf_in_no_tree_is_named(tmp_path):
    alone = TREES[TREES.index(b"TreeID:1") :]
    files = {"ibnetdiscover.txt": small().text(), "ibdiagnet_sharp.txt": alone}
    assert asked(tmp_path, files, "sharp.trees") == [
        (Verdict.FAIL, "fabric", "no tree has all leaves: the best lacks leaf1")
    ]


def test_file_without_a_tree_fails(tmp_path):
    files = {"ibnetdiscover.txt": small().text(), "ibdiagnet_sharp.txt": b"# no trees\n"}
    assert asked(tmp_path, files, "sharp.trees") == [(Verdict.FAIL, "fabric", "there is no tree")]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (b"radix:2\n", b"radix:3\n", "the tree 0 has fewer nodes than it says"),
        (b"radix:2\n", b"radix:1\n", "the tree 0 has more nodes than it says"),
        (b"\t(1), AN", b"\t(2), AN", "has the node e8ebd30300010009 at no place"),
        (b"(0), AN", b"(1), AN", "the tree 0 does not begin with its root"),
    ],
)
def test_tree_that_contradicts_itself_is_damage(old, new, words):
    assert words in ibdiagnet_sharp.parse(TREES.replace(old, new, 1)).damage[0]


def test_tree_cut_off_at_the_end_of_a_line_is_damage():
    lines = TREES.splitlines(keepends=True)
    assert ibdiagnet_sharp.parse(b"".join(lines[:3])).damage == (
        "the tree 0 has fewer nodes than it says",
    )


def test_hello_is_judged_by_what_the_tool_says_at_its_end(tmp_path):
    files = {
        "node0000/sharp_hello.mlx5_0.txt": PASSED,
        "node0001/sharp_hello.mlx5_0.txt": FAILED,
    }
    assert asked(tmp_path, files, "sharp.hello") == [
        (Verdict.PASS, "node/node0000/mlx5_0", "a job was set up and a barrier ran"),
        (Verdict.FAIL, "node/node0001/mlx5_0", "unable to connect to the aggregation manager"),
    ]


def test_adapter_that_nobody_tried_is_unknown(tmp_path):
    fabric = with_aggregation(eight_rail(units=1, hosts_per_unit=2, spines=2))
    host = "gpu0000"
    files = {f"{host}/sharp_hello.mlx5_{rail}.txt": PASSED for rail in range(7)}
    files["ibnetdiscover.txt"] = fabric.text()
    found = asked(tmp_path, files, "sharp.per_rail")
    assert found == [(Verdict.UNKNOWN, f"node/{host}", "not tried: mlx5_7")]
    files[f"{host}/sharp_hello.mlx5_7.txt"] = PASSED
    found = asked(tmp_path, files, "sharp.per_rail")
    assert found == [(Verdict.PASS, f"node/{host}", "8 of 8 adapters can reduce")]


def kinds(folder, hca="MT4129", device=b"0xd2f2", version="2.30.7+cuda13.0", *, declared=True):
    """Return the answers to whether the hardware can, by subject."""
    view = {"has_rdma": True, "devices": [{"name": "mlx5_0", "values": {"hca_type": hca}}]}
    said = (
        f"NCCL version {version}\n" if version else ""
    ) + "gpu001:1:2 [0] NCCL INFO Using network IB\n"
    files = {
        "ibnetdiscover.txt": small().text().replace(b"0xd2f2", device),
        "nccl_log.run.txt": said.encode(),
        "gpu001/sysfs_rdma.txt": json.dumps(view).encode(),
    }
    found = every(folder, files, Expected(sharp=declared), only=["sharp.prereq"])
    return {one.subject: (one.verdict, one.found) for one in found if one.check == "sharp.prereq"}


CAN = {
    "fabric": (Verdict.PASS, "3 switches of a kind that can"),
    "node/gpu001/mlx5_0": (Verdict.PASS, "MT4129"),
    "run/run": (Verdict.PASS, "NCCL 2.30.7"),
}


def test_adapters_switches_and_nccl_that_can_pass(tmp_path):
    assert kinds(tmp_path) == CAN


@pytest.mark.parametrize(
    ("change", "subject", "answer"),
    [
        (
            {"hca": "MT4119"},
            "node/gpu001/mlx5_0",
            (Verdict.FAIL, "MT4119 is older than ConnectX-6"),
        ),
        (
            {"hca": "MT4119", "declared": False},
            "node/gpu001/mlx5_0",
            (Verdict.SKIP, "MT4119 is older than ConnectX-6"),
        ),
        ({"hca": ""}, "node/gpu001/mlx5_0", (Verdict.UNKNOWN, "its type tells no model")),
        ({"version": "2.4.8"}, "run/run", (Verdict.FAIL, "NCCL 2.4.8")),
        ({"version": ""}, "run/run", (Verdict.UNKNOWN, "the version of NCCL is not told")),
    ],
)
def test_part_that_cannot_is_named(change, subject, answer, tmp_path):
    assert kinds(tmp_path, **change) == {**CAN, subject: answer}


def test_older_switches_are_named(tmp_path):
    verdict, words = kinds(tmp_path, device=b"0xcf08")["fabric"]
    assert (verdict, words.partition(":")[0]) == (Verdict.FAIL, "older than Quantum")


def test_job_that_reduced_in_the_network_is_proof(tmp_path):
    found = every(tmp_path, {"gpu001/sharp_hello.txt": PASSED}, only=["sharp.prereq"])
    answers = [(one.verdict, one.found) for one in found if one.check == "sharp.prereq"]
    assert answers == [(Verdict.PASS, "1 jobs reduced in the network")]
