from __future__ import annotations

from dataclasses import replace

import pytest
import yaml
from hypothesis import given

from sunk.errors import InputError
from sunk.model.topology import Link, NvlinkDomain, SlurmForm, Switch, Topology, TopologyNode
from sunk.plan.fabric import fabric
from sunk.render.topology import read_topology
from sunk.render.topology_slurm import read_slurm, render_slurm
from sunk_jobs.placement.slurm_topology import read as read_text
from tests.support.golden import check_golden
from tests.support.recorded_texts import recorded
from tests.support.topologies import EVERYTHING, leaves, topologies

ALPHA = read_topology(EVERYTHING, source="t")


@pytest.mark.parametrize("form", SlurmForm)
def test_slurms_file_of_a_rail_optimised_network_is_the_golden_one(form):
    ending = "yaml" if form is SlurmForm.YAML else "conf"
    check_golden(f"topology/slurm-{form}.{ending}", render_slurm(ALPHA, form))


def test_leaves_stand_in_depth_first_order():
    # Slurm ranks by the place of a leaf in the file: leaf-10 of the first pod before leaf-2.
    topology = Topology(
        name="t",
        nodes=tuple(TopologyNode(name=f"w-{at}", slurm_name=f"w-{at}") for at in range(3)),
        switches=(
            *(Switch(name=name, tier=0) for name in ("leaf-1", "leaf-2", "leaf-10")),
            *(Switch(name=name, tier=1) for name in ("pod-a", "pod-b")),
        ),
        links=(
            Link(lower="w-0", upper="leaf-1"),
            Link(lower="w-1", upper="leaf-2"),
            Link(lower="w-2", upper="leaf-10"),
            Link(lower="leaf-1", upper="pod-a"),
            Link(lower="leaf-10", upper="pod-a"),
            Link(lower="leaf-2", upper="pod-b"),
        ),
    )
    said = read_text(render_slurm(topology, SlurmForm.TREE))
    assert [one.name for one in said.switches] == ["leaf-1", "leaf-10", "leaf-2", "pod-a", "pod-b"]


def test_leaf_that_waits_for_its_nodes_is_written_without_any():
    topology = Topology(name="t", switches=(Switch(name="leaf", tier=0),))
    assert render_slurm(topology, SlurmForm.TREE).splitlines()[1:] == ["SwitchName=leaf"]


def test_nodes_without_a_name_in_slurm_are_left_out():
    nodes = (TopologyNode(name="a", slurm_name="A"), TopologyNode(name="b"))
    topology = Topology(
        name="t",
        nodes=nodes,
        switches=(Switch(name="leaf", tier=0),),
        links=(Link(lower="a", upper="leaf"), Link(lower="b", upper="leaf")),
        nvlink_domains=(NvlinkDomain(name="d", nodes=("a", "b")),),
    )
    assert render_slurm(topology, SlurmForm.TREE).splitlines()[1:] == ["SwitchName=leaf Nodes=A"]
    assert render_slurm(topology, SlurmForm.BLOCK).splitlines()[1:] == ["BlockName=d Nodes=A"]


@pytest.mark.parametrize(
    ("form", "said"),
    [
        (SlurmForm.TREE, "write topology t as a tree: it has no switches"),
        (SlurmForm.BLOCK, "write topology t as blocks: it has no NVLink domains"),
        (SlurmForm.YAML, "write topology t as blocks: it has no NVLink domains"),
    ],
)
def test_form_for_which_there_is_nothing_is_refused(form, said):
    with pytest.raises(InputError) as raised:
        render_slurm(Topology(name="t"), form)
    assert raised.value.message == said


def test_nodes_beside_switches_are_refused_by_name():
    topology = leaves(1, 1)
    spine = Link(lower="w-9", upper="spine-0")
    stray = TopologyNode(name="w-9", slurm_name="w-9")
    topology = replace(topology, nodes=(*topology.nodes, stray), links=(*topology.links, spine))
    with pytest.raises(InputError, match=r"switch spine-0 has nodes \(w-9\) beside switches"):
        render_slurm(topology, SlurmForm.TREE)


@given(topologies())
def test_what_slurm_reads_has_the_places_of_the_topology(topology):
    try:
        text = render_slurm(topology, SlurmForm.TREE)
    except InputError:
        return
    names = {one.name: one.slurm_name for one in topology.nodes}
    wanted = {
        group.name: (
            sorted(name for one in group.nodes if (name := names[one])),
            sorted(one.name for one in group.groups),
        )
        for group in fabric(topology, nvlink=False).walk()
    }
    said = read_text(text)
    assert {one.name: (sorted(one.nodes), sorted(one.switches)) for one in said.switches} == wanted
    again = yaml.safe_load(render_slurm(topology, SlurmForm.YAML))
    assert [one["switch"] for one in again[0]["tree"]["switches"]] == [
        one.name for one in said.switches
    ]


def test_tree_that_slurm_prints_is_a_topology_and_renders_as_the_same_tree():
    text = (
        "SwitchName=s1 Level=0 LinkSpeed=1 Nodes=n[1-2]\n"
        "SwitchName=s2 Level=0 LinkSpeed=1 Nodes=n[3,10]\n"
        "SwitchName=root Level=1 LinkSpeed=1 Nodes=n[1-3,10] Switches=s[1-2]\n"
    )
    topology = read_slurm(
        text, source="scontrol", name="c", who="sunk", when="2026-02-03T04:05:06Z"
    )
    assert topology.links[-1] == Link(lower="s2", upper="root")
    assert [one.slurm_name for one in topology.nodes] == ["n1", "n2", "n3", "n10"]
    assert render_slurm(topology, SlurmForm.TREE).splitlines()[1:] == [
        "SwitchName=s1 Nodes=n[1-2]",
        "SwitchName=s2 Nodes=n[3,10]",
        "SwitchName=root Switches=s[1-2]",
    ]


def test_blocks_that_slurm_prints_are_nvlink_domains_with_their_sizes():
    text = "BlockName=b1 BlockIndex=0 Nodes=n[1-2] BlockSize=2\n"
    topology = read_slurm(text, source="scontrol", name="c")
    assert topology.nvlink_domains == (NvlinkDomain(name="b1", nodes=("n1", "n2")),)
    assert topology.block_sizes == (2,)
    assert render_slurm(topology, SlurmForm.BLOCK).splitlines()[1:] == [
        "BlockName=b1 Nodes=n[1-2]",
        "BlockSizes=2",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "read t: no switch and no block in it"),
        ("SwitchName=a Nodes=a", "read t: a is a node and a switch"),
        ("topology/flat", "read t: line 1: 'topology/flat' is not Key=Value"),
    ],
)
def test_text_that_is_no_topology_is_refused(text, said):
    with pytest.raises(InputError) as raised:
        read_slurm(text, source="t", name="c")
    assert raised.value.message == said


def test_topology_of_a_real_slurm_is_read():
    topology = read_slurm(recorded("topology"), source="scontrol", name="lab")
    assert [(one.name, one.tier) for one in topology.switches] == [
        ("leaf-a", 0),
        ("leaf-b", 0),
        ("spine", 1),
    ]
    assert [(one.lower, one.upper) for one in topology.links] == [
        ("leaf-a", "spine"),
        ("leaf-b", "spine"),
        ("w1", "leaf-a"),
        ("w2", "leaf-b"),
        ("w3", "leaf-b"),
        ("w10", "leaf-a"),
    ]
