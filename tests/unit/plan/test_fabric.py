from __future__ import annotations

from hypothesis import given

from sunk.model.topology import Link, Switch, Topology, TopologyNode
from sunk.plan.fabric import fabric
from sunk.render.topology import read_topology
from sunk_jobs.placement.ordering import Group
from tests.support.topologies import EVERYTHING, leaves, topologies

RACKS = tuple(
    Group(f"rack-{at + 1}", "nvlink", -1, tuple(f"w-{at * 4 + one}" for one in range(4)))
    for at in range(3)
)


def test_leaves_of_the_rails_of_the_same_nodes_are_one_place():
    found = fabric(read_topology(EVERYTHING, source="t"))
    assert found.groups == (
        Group(
            "spine-1",
            "switch",
            1,
            (),
            tuple(
                Group(f"leaf-{at * 2 + 1}", "switch", 0, (), (rack,))
                for at, rack in enumerate(RACKS)
            ),
        ),
    )


def test_oversubscription_is_what_nodes_send_over_what_leaves():
    # Four nodes on two rails send 8 x 400 Gbit/s; two leaves have two uplinks each.
    found = fabric(read_topology(EVERYTHING, source="t"))
    assert found.oversubscription == {"leaf-1": 2.0, "leaf-3": 2.0, "leaf-5": 2.0}


def test_unknown_rate_leaves_oversubscription_unknown():
    assert fabric(leaves(2, 2)).oversubscription == {}


def test_tree_keeps_its_switches():
    found = fabric(leaves(1, 2, 1, per_pod=2), nvlink=False)
    assert [(one.name, one.level, one.nodes) for one in found.walk()] == [
        ("core", 2, ()),
        ("spine-0", 1, ()),
        ("leaf-0", 0, ("w-0",)),
        ("leaf-1", 0, ("w-1", "w-2")),
        ("spine-1", 1, ()),
        ("leaf-2", 0, ("w-3",)),
    ]


def test_node_on_a_spine_hangs_beside_the_leaves():
    topology = Topology(
        name="t",
        nodes=(TopologyNode(name="a"), TopologyNode(name="b")),
        switches=(Switch(name="leaf", tier=0), Switch(name="spine", tier=1)),
        links=(
            Link(lower="a", upper="leaf"),
            Link(lower="b", upper="spine"),
            Link(lower="leaf", upper="spine"),
        ),
    )
    assert fabric(topology).groups == (
        Group("spine", "switch", 1, ("b",), (Group("leaf", "switch", 0, ("a",)),)),
    )


@given(topologies())
def test_no_node_is_in_two_places_of_which_neither_holds_the_other(topology):
    found = fabric(topology)
    members = [node for group in found.groups for node in group.members()]
    assert len(members) == len(set(members))
    attached = {link.lower for link in topology.links}
    attached |= {node for domain in topology.nvlink_domains for node in domain.nodes}
    assert set(members) == attached & {node.name for node in topology.nodes}


@given(topologies())
def test_nodes_of_one_switch_are_in_one_place_of_its_tier(topology):
    places = list(fabric(topology, nvlink=False).walk())
    for switch in topology.switches:
        below = {one.lower for one in topology.links if one.upper == switch.name}
        below &= {node.name for node in topology.nodes}
        holding = [one for one in places if below & set(one.members()) and one.level == switch.tier]
        assert len(holding) == (1 if below else 0)
