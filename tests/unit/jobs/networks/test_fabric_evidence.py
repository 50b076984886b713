"""Evidence of nodes: whatever stands in a file, and in what nodes differ."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sunk_jobs import fabric_env
from sunk_jobs.networks.fabric_choice import Fabric, Host, Rail, Setting
from sunk_jobs.networks.fabric_evidence import Evidence, NotEvidence, differences, parse_evidence
from sunk_jobs.sysfs_rdma import Snapshot

RAILS = tuple(
    Rail(f"mlx5_{n}", 1, "Ethernet", 400.0, True, f"net{n}", 9000, ("RoCE v2",), "mlx5_core")
    for n in range(4)
)


def node(name: str, **changed: object) -> Evidence:
    rails = changed.pop("rails", RAILS)
    return replace(Evidence(name, name, "roce", rails), **changed)


def words(*found: Evidence, wanted: tuple[str, ...] = ()) -> list[tuple[str, bool]]:
    return [(one.words, one.grave) for one in differences(found, wanted)]


def other(**changed: object) -> tuple[Rail, ...]:
    return (*RAILS[:3], replace(RAILS[3], **changed))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"rails": other(rate_gbps=200.0)}, "rates [200.0, 400.0, 400.0, 400.0]"),
        ({"rails": other(mtu_bytes=1500)}, "MTUs [1500, 9000, 9000, 9000]"),
        ({"rails": other(gid_types=("IB/RoCE v1",))}, 'GID types ["IB/RoCE v1", "RoCE v2"]'),
        ({"memlock_bytes": 65536}, "locked memory 65536"),
    ],
)
def test_node_that_differs_gravely_is_named_with_the_field_and_both_values(changed, said):
    (found,) = words(node("a"), node("b"), node("c", **changed))
    assert found[0].startswith(f"c: {said}, elsewhere ")
    assert found[1]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"rails": other(vf=False)}, "virtual functions 3"),
        ({"rails": other(driver="mlx5_vdpa")}, 'drivers ["mlx5_core", "mlx5_vdpa"]'),
        ({"gpus": 7}, "GPUs 7"),
        ({"cliques": ("x.1",)}, "GPUs in NVLink domains 1"),
        ({"gpu_direct": True}, "GPUDirect true"),
    ],
)
def test_difference_that_a_job_can_live_with_is_told_and_not_grave(changed, said):
    (found,) = words(node("a"), node("b"), node("c", **changed))
    assert found[0].startswith(f"c: {said}, elsewhere ")
    assert not found[1]


def test_node_that_lacks_a_rail_or_has_another_network_is_grave():
    said = words(node("a"), node("b"), node("c", rails=RAILS[:3]))
    assert ("c: number of rails 3, elsewhere 4", True) in said
    said = words(node("a"), node("b"), node("c", kind="tcp", rails=()))
    assert ('c: kind "tcp", elsewhere "roce"', True) in said


def test_unknown_value_differs_and_is_not_grave():
    said = words(node("a"), node("b"), node("c", rails=other(rate_gbps=0.0)))
    assert said == [("c: rates not known, elsewhere [400.0, 400.0, 400.0, 400.0]", False)]


def test_locked_memory_does_not_matter_without_rdma():
    tcp = [node(name, kind="tcp", rails=()) for name in "ab"]
    assert words(tcp[0], replace(tcp[1], memlock_bytes=65536)) == []


def test_nodes_without_evidence_are_named_and_the_rest_of_many_is_counted():
    assert words(node("a"), wanted=("a", *(f"w{n}" for n in range(1, 6)))) == [
        ("w1, w2, w3 and 2 more: no evidence", True)
    ]


def test_nodes_that_are_alike_have_no_differences():
    assert words(node("a"), node("b"), wanted=("a", "b")) == []


def test_what_the_program_keeps_is_what_is_read_back():
    fabric = Fabric("roce", RAILS, settings=(Setting("NCCL_IB_HCA", "=mlx5_0:1", "why"),))
    host = Host(rdma=Snapshot(), memlock_bytes=65536, cliques=("x.1",), gpus=2, gpu_direct=True)
    text = json.dumps(fabric_env.evidence(fabric, host, "gpu-1"))
    assert replace(parse_evidence(text), host="gpu-1") == Evidence(
        "gpu-1",
        "gpu-1",
        "roce",
        RAILS,
        settings={"NCCL_IB_HCA": "=mlx5_0:1"},
        cliques=("x.1",),
        gpus=2,
        gpu_direct=True,
        memlock_bytes=65536,
    )


SOUND = json.dumps(fabric_env.evidence(Fabric("roce", RAILS), Host(rdma=Snapshot()), "gpu-1"))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)


@given(key=st.sampled_from(sorted(json.loads(SOUND))), value=JSON)
def test_evidence_with_anything_in_any_key_is_read_or_refused(key, value):
    try:
        found = parse_evidence(json.dumps(json.loads(SOUND) | {key: value}))
    except NotEvidence:
        return
    differences([found, parse_evidence(SOUND)])


@given(at=st.integers(0, len(SOUND) - 1))
def test_evidence_cut_short_is_refused(at):
    with pytest.raises(NotEvidence):
        parse_evidence(SOUND[:at])


@pytest.fixture
def files(tmp_path):
    def write(*texts: str) -> list[str]:
        names = []
        for number, text in enumerate(texts):
            file = tmp_path / f"{number}.json"
            file.write_text(text)
            names.append(str(file))
        return names

    return write


@pytest.mark.parametrize("text", ["", "{}", "[]", "not json", '{"node": 1', "[" * 9999])
def test_damaged_evidence_is_refused_and_named(files, capsys, text):
    names = files(SOUND, text)
    assert fabric_env.main(["--compare", *names]) == 3
    assert f"compare {names[1]}: no evidence" in capsys.readouterr().err


def test_program_refuses_nodes_that_differ_gravely_unless_only_warned(files, capsys):
    lesser = json.dumps(json.loads(SOUND) | {"node": "gpu-2", "rails": []})
    names = files(SOUND, SOUND.replace("gpu-1", "gpu-3"), lesser)
    assert fabric_env.main(["--compare", *names]) == 3
    assert "nodes differ: gpu-2: number of rails 0, elsewhere 4\n" in capsys.readouterr().err
    assert fabric_env.main(["--compare", *names, "--warn"]) == 0
    assert "number of rails 0" in capsys.readouterr().err


def test_program_names_the_nodes_that_left_no_evidence(files, capsys):
    assert fabric_env.main(["--compare", *files(SOUND), "--nodes", "gpu-[1-2]"]) == 3
    assert capsys.readouterr().err == "fabric_env: nodes differ: gpu-2: no evidence\n"
    assert fabric_env.main(["--compare", *files(SOUND), "--nodes", "gpu-["]) == 2


def test_difference_that_is_not_grave_does_not_refuse(files, capsys):
    more = json.dumps(json.loads(SOUND) | {"node": "gpu-2", "gpus": 8})
    assert fabric_env.main(["--compare", *files(SOUND, more)]) == 0
    assert "(a job can start so)" in capsys.readouterr().err
