from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given

from sunk.assess.verdict import Verdict
from sunk.model.topology import Link, NvlinkDomain, Switch, Topology, TopologyNode
from sunk.render.topology import read_topology
from sunk.render.topology_checks import findings
from tests.support.topologies import EVERYTHING, leaves, topologies

ALPHA = read_topology(EVERYTHING, source="t")
STRAY = TopologyNode(name="w-99", slurm_name="w-99")


def answers(topology: Topology) -> dict[str, tuple[Verdict, str]]:
    return {one.check: (one.verdict, one.found) for one in findings(topology)}


def test_network_with_everything_passes_every_check():
    assert {verdict for verdict, _ in answers(ALPHA).values()} == {Verdict.PASS}


def long_name() -> Topology:
    return Topology(name="t", switches=(Switch(name="s" * 65, tier=0),))


@pytest.mark.parametrize(
    ("topology", "check", "verdict", "found"),
    [
        (
            replace(ALPHA, nodes=(*ALPHA.nodes, TopologyNode(name="x"))),
            "topology.nodes.slurm_name",
            Verdict.WARN,
            "no name in Slurm is known for x",
        ),
        (
            replace(ALPHA, nodes=(*ALPHA.nodes, STRAY)),
            "topology.nodes.placed",
            Verdict.FAIL,
            "on no switch: w-99",
        ),
        (
            replace(leaves(1, 1), links=leaves(1, 1).links[1:]),
            "topology.tree.one_root",
            Verdict.WARN,
            "2 parts that nothing connects: leaf-0, spine-0",
        ),
        (
            replace(
                ALPHA,
                nodes=(*ALPHA.nodes, STRAY),
                links=(*ALPHA.links, Link(lower="w-99", upper="spine-2")),
            ),
            "topology.tree.nodes_on_leaves",
            Verdict.FAIL,
            "nodes beside switches below spine-1 (w-99)",
        ),
        (
            long_name(),
            "topology.names.length",
            Verdict.FAIL,
            f"longer than 64 characters: {'s' * 65}",
        ),
        (
            replace(ALPHA, block_sizes=(4, 12)),
            "topology.block.sizes",
            Verdict.FAIL,
            "12: no power of two times 4",
        ),
        (
            replace(ALPHA, block_sizes=(5,)),
            "topology.block.full",
            Verdict.FAIL,
            "fewer nodes than the base size 5: rack-1 has 4, rack-2 has 4, rack-3 has 4",
        ),
        (
            replace(ALPHA, links=ALPHA.links[:-1]),
            "topology.rails.complete",
            Verdict.WARN,
            "nodes without a link on a rail: w-11 lacks 1",
        ),
        (
            leaves(1, 1),
            "topology.links.rates",
            Verdict.WARN,
            "count or rate of 4 of 4 links is not known",
        ),
    ],
)
def test_what_would_not_work_is_found(topology, check, verdict, found):
    assert answers(topology)[check] == (verdict, found)


def test_checks_that_do_not_apply_are_skipped_and_say_why():
    blocks = Topology(
        name="t",
        nodes=(TopologyNode(name="a", slurm_name="a"),),
        nvlink_domains=(NvlinkDomain(name="d", nodes=("a",)),),
    )
    skipped = {check for check, (verdict, _) in answers(blocks).items() if verdict is Verdict.SKIP}
    assert skipped == {
        "topology.nodes.placed",
        "topology.tree.one_root",
        "topology.tree.nodes_on_leaves",
        "topology.block.sizes",
        "topology.block.full",
        "topology.rails.complete",
        "topology.links.rates",
    }


@given(topologies())
def test_every_topology_gets_the_same_nine_answers(topology):
    assert len(answers(topology)) == 9
