"""How often the bridge reads every record, and that what it reads less often harms nothing."""

from __future__ import annotations

from sunk.model.slurm import NodeName
from tests.support.memory_site import Site


def test_cordon_right_after_another_reads_the_one_record_that_changed_and_not_all():
    site = Site(workers=40, machines=40)
    site.rounds(3)
    lists: list[int] = []
    real = site.slurm.nodes_since
    site.slurm.nodes_since = lambda since: lists.append(since) or real(since)
    site.cordon("m0")
    site.rounds(1, seconds=0.1)
    site.cordon("m1")
    site.rounds(1, seconds=0.1)
    assert (len(lists), len(site.drained())) == (1, 2)
    site.rounds(1)
    site.rounds(1)
    assert len(lists) == 2


def test_drain_by_a_person_between_two_lists_is_not_taken_over_by_a_cordon():
    site = Site(workers=4, machines=4)
    site.rounds(3)
    site.cordon("m0")
    site.rounds(1, seconds=0.1)
    (late,) = [one.name for one in site.kube.pods("slurm") if one.node == "m1"]
    site.slurm.drain(NodeName(late), "fan broken")
    site.cordon("m1")
    site.rounds(1, seconds=0.1)
    assert site.slurm.node(NodeName(late)).reason == "fan broken"
    site.rounds(3)
    site.cordon("m1", on=False)
    site.rounds(3)
    node = site.slurm.node(NodeName(late))
    assert (node.drain, node.reason) == (True, "fan broken")
