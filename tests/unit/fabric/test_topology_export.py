"""A scan becomes the topology file that the rest of the project reads."""

from __future__ import annotations

import pytest

from sunk.errors import InputError
from sunk.model.topology import Link, Rail, SlurmForm
from sunk.render.topology import dump_topology, read_topology
from sunk.render.topology_rules import problems
from sunk.render.topology_slurm import render_slurm
from sunk_fabric.parse import ibnetdiscover
from sunk_fabric.topology.audit import audit
from sunk_fabric.topology.export import to_topology
from tests.support.simulated_fabric import Simulated, eight_rail, three_level, two_level


def exported(fabric: Simulated):
    found = audit(ibnetdiscover.parse(fabric.text()).value)
    return to_topology(found, name="hall", source="scan.txt")


def test_two_levels_of_switches_become_slurms_tree():
    topology = exported(two_level(leaves=2, spines=1, hosts_per_leaf=2))
    assert list(problems(topology)) == []
    assert {one.tier for one in topology.switches} == {0, 1}
    lines = render_slurm(topology, SlurmForm.TREE).splitlines()
    assert [line.split()[0] for line in lines if line.startswith("SwitchName=")] == [
        "SwitchName=leaf0",
        "SwitchName=leaf1",
        "SwitchName=spine0",
    ]


def test_file_that_is_written_is_read_back_the_same():
    for fabric in (two_level(), eight_rail(), three_level()):
        topology = exported(fabric)
        assert read_topology(dump_topology(topology), source="x") == topology


def test_each_adapter_of_a_host_is_a_link_of_its_own_rail():
    topology = exported(eight_rail(units=1, hosts_per_unit=2))
    assert [one.index for one in topology.rails] == list(range(8))
    assert topology.rails[0] == Rail(index=0, device="mlx5_0")
    host = topology.nodes[0].name
    mine = [one for one in topology.links if one.lower == host]
    assert [one.rail for one in mine] == list(range(8))
    assert len({one.upper for one in mine}) == 8


def test_slower_cable_is_the_rate_of_its_bundle_and_a_pulled_one_is_not_counted():
    fabric = two_level(leaves=2, spines=1, hosts_per_leaf=2)
    before = exported(fabric)
    fabric.pull(fabric.cables("leaf0", "spine0")[0])
    fabric.slow_down(fabric.cables("leaf0", "spine0")[0], "4xSDR")
    old, new = (
        next(one for one in made.links if (one.lower, one.upper) == ("leaf0", "spine0"))
        for made in (before, exported(fabric))
    )
    assert new == Link(
        lower="leaf0", upper="spine0", count=old.count - 1, rate_gbit_per_s=10.0, rail=None
    )


def test_switch_with_a_name_that_no_file_takes_is_called_by_its_guid():
    fabric = two_level(leaves=2, spines=1, hosts_per_leaf=2)
    text = fabric.text().replace(b"leaf0", b"MF0;leaf 0:MQM9700/U1")
    found = audit(ibnetdiscover.parse(text).value)
    topology = to_topology(found, name="hall", source="scan.txt")
    assert list(problems(topology)) == []
    (strange,) = [one for one in topology.switches if one.name.startswith("switch-")]
    assert strange.name == f"switch-{strange.guid.removeprefix('0x')}"
    assert read_topology(dump_topology(topology), source="x") == topology


def test_host_with_a_name_that_no_file_takes_is_named_and_not_left_out():
    fabric = two_level(leaves=2, spines=1, hosts_per_leaf=2)
    host = exported(fabric).nodes[0].name
    text = fabric.text().replace(f'"{host} '.encode(), b'"<b>host ')
    found = audit(ibnetdiscover.parse(text).value)
    with pytest.raises(InputError, match=r"export the topology: host .* has no name"):
        to_topology(found, name="hall", source="scan.txt")
