"""Every kind of cabling fault is found, once, by its kind and place; a healthy fabric is silent."""

from __future__ import annotations

import pytest

from sunk_fabric.parse import ibnetdiscover
from sunk_fabric.topology.audit import Audit, audit
from sunk_fabric.topology.defect import DefectKind as Kind
from tests.support import simulated_fabric
from tests.support.simulated_fabric import Place, Simulated, eight_rail, two_level


def three_level() -> Simulated:
    """A smaller one of the same shape: the whole one is audited in two tests and the bench."""
    return simulated_fabric.three_level(units=6, hosts_per_unit=8)


SHAPES = {"two-level": two_level, "eight-rail": eight_rail, "three-level": three_level}
every_shape = pytest.mark.parametrize("make", SHAPES.values(), ids=SHAPES)
with_rails = pytest.mark.parametrize(
    "make", [eight_rail, three_level], ids=["eight-rail", "three-level"]
)


def audited(fabric: Simulated) -> Audit:
    parsed = ibnetdiscover.parse(fabric.text())
    assert parsed.trouble == ""
    return audit(parsed.value)


def causes(fabric: Simulated) -> list[tuple[Kind, str]]:
    return [(one.kind, one.subject) for one in audited(fabric).defects]


def names(make) -> tuple[str, str, str]:
    """Return a leaf, another one, and a switch above both, with a cable to each."""
    match make.__name__:
        case "two_level":
            return "leaf1", "leaf2", "spine1"
        case "eight_rail":
            return "su0-leaf1", "su1-leaf2", "spine1"
        case _:
            return "su0-leaf1", "su0-leaf2", "su0-spine1"


@every_shape
def test_healthy_fabric_has_no_defect_and_blocks_nowhere(make):
    found = audited(make())
    assert found.defects == ()
    assert found.groups.irregular == ()
    assert found.mixed_rates == ()
    assert {one.ratio for one in found.subscriptions} == {1.0}
    assert [one for one in found.flows if one.blocks] == []


@with_rails
def test_hosts_of_managers_and_storage_are_no_fault_of_the_fabric(make):
    """They have other adapters and rates, stand at any leaf or a spine, and are not counted."""
    fabric = make()
    above = names(make)[2]
    fabric.join("su0-leaf3", fabric.add_hca("ufm1", "mlx5_0"))
    fabric.join(above, fabric.add_hca("ufm2", "mlx5_0"))
    for number in range(4):
        for device in range(2):
            name = fabric.add_hca(f"storage{number}", f"mlx5_{device}")
            fabric.join("su1-leaf6", name)
            fabric.slow_down(Place(name, 1), "4xHDR")
    found = audited(fabric)
    assert found.defects == ()
    assert found.mixed_rates == ()
    assert {one.ratio for one in found.subscriptions} == {1.0}
    assert [one for one in found.flows if one.blocks] == []


@with_rails
def test_aggregation_nodes_are_counted_apart_and_no_hosts(make):
    fabric = make()
    for switch in list(fabric.switches):
        name = f"Mellanox Technologies Aggregation Node {switch}"
        fabric.guids[name] = fabric.guids[switch] + 1
        fabric.connect(Place(switch, 65), Place(name, 1))
    found = audited(fabric)
    assert found.defects == ()
    assert len(found.fabric.aggregation_nodes) == len(fabric.switches)


def test_shape_of_the_largest_is_told_whole():
    found = audited(simulated_fabric.three_level())
    assert (found.defects, len(found.fabric.hcas), len(found.fabric.links)) == ((), 1024, 3072)
    assert {level: len(found.levels.at(level)) for level in (1, 2, 3)} == {1: 64, 2: 64, 3: 64}
    assert found.placement.rails == tuple(f"mlx5_{number}" for number in range(8))
    units = [[found.fabric.name(leaf) for leaf in unit] for unit in found.placement.units]
    assert [sorted(unit) for unit in units] == [
        [f"su{unit}-leaf{rail}" for rail in range(8)] for unit in range(8)
    ]
    assert len(found.planes) == 1
    assert [(one.name, one.offered_gbit_per_s, one.possible_gbit_per_s) for one in found.flows] == [
        ("halves", 204_800.0, 204_800.0),
        *((f"mlx5_{number}", 25_600.0, 25_600.0) for number in range(8)),
    ]


@every_shape
def test_pulled_uplink_is_a_missing_link_between_its_ends(make):
    fabric = make()
    leaf, _, above = names(make)
    fabric.pull(fabric.cables(leaf, above)[0])
    found = audited(fabric)
    assert [(one.kind, one.subject, one.touches) for one in found.defects] == [
        (Kind.MISSING_LINK, f"switch/{leaf}", (f"switch/{above}",))
    ]
    assert max(one.ratio for one in found.subscriptions) > 1


def test_flow_names_the_switch_that_limits_it():
    fabric = eight_rail()
    for place in fabric.cables("su0-leaf1", "spine1"):
        fabric.pull(place)
    flow = {one.name: one for one in audited(fabric).flows}
    assert (flow["halves"].possible_gbit_per_s, flow["halves"].offered_gbit_per_s) == (
        24_800.0,
        25_600.0,
    )
    assert flow["mlx5_1"].cut == tuple(("su0-leaf1", f"spine{one}") for one in (0, 2, 3))
    assert [one.name for one in flow.values() if one.blocks] == ["halves", "mlx5_1"]


def test_pulled_cable_between_spine_and_core_is_a_missing_link():
    fabric = three_level()
    fabric.pull(fabric.cables("su3-spine2", "core17")[0])
    assert causes(fabric) == [(Kind.MISSING_LINK, "switch/su3-spine2")]


@every_shape
@pytest.mark.parametrize("rate", ["4xHDR", "2xNDR", "1xNDR"])
def test_slow_uplink_is_degraded(make, rate):
    fabric = make()
    leaf, _, above = names(make)
    fabric.slow_down(fabric.cables(leaf, above)[0], rate)
    (found,) = audited(fabric).defects
    assert found.kind is Kind.DEGRADED
    assert {found.subject, *found.touches} == {f"switch/{leaf}", f"switch/{above}"}
    assert f"runs at {rate[0]}X {rate[2:]}" in found.found


@with_rails
def test_slow_host_cable_is_degraded_at_the_host(make):
    fabric = make()
    fabric.slow_down(Place("gpu0003 mlx5_2", 1), "2xNDR")
    assert causes(fabric) == [(Kind.DEGRADED, "node/gpu0003/mlx5_2")]


@with_rails
def test_two_adapters_of_a_host_swapped_is_one_swap_in_words(make):
    fabric = make()
    fabric.swap(Place("gpu0003 mlx5_2", 1), Place("gpu0003 mlx5_5", 1))
    (found,) = audited(fabric).defects
    assert (found.kind, found.subject, found.touches, found.remedy) == (
        Kind.SWAPPED_HCAS,
        "node/gpu0003/mlx5_2",
        ("node/gpu0003/mlx5_5",),
        "swap the cables of gpu0003 mlx5_2 and gpu0003 mlx5_5",
    )
    assert "gpu0003 mlx5_2 is at su0-leaf5 port 4 (cage 2/2)" in found.found


@with_rails
def test_three_adapters_in_a_circle_are_one_permutation(make):
    fabric = make()
    fabric.swap(Place("gpu0003 mlx5_2", 1), Place("gpu0003 mlx5_5", 1))
    fabric.swap(Place("gpu0003 mlx5_5", 1), Place("gpu0003 mlx5_7", 1))
    assert causes(fabric) == [(Kind.SWAPPED_HCAS, "node/gpu0003/mlx5_2")]


@with_rails
def test_adapters_of_two_hosts_swapped_across_rails_is_one_swap(make):
    fabric = make()
    fabric.swap(Place("gpu0001 mlx5_0", 1), Place("gpu0002 mlx5_1", 1))
    (found,) = audited(fabric).defects
    assert (found.kind, found.subject, found.touches) == (
        Kind.SWAPPED_HCAS,
        "node/gpu0001/mlx5_0",
        ("node/gpu0002/mlx5_1",),
    )


@with_rails
def test_adapter_moved_to_a_free_port_of_another_rail_is_on_the_wrong_rail(make):
    fabric = make()
    fabric.pull(Place("gpu0003 mlx5_2", 1))
    fabric.connect(Place("gpu0003 mlx5_2", 1), fabric.free("su0-leaf4"))
    assert causes(fabric) == [(Kind.WRONG_RAIL, "node/gpu0003/mlx5_2")]


@with_rails
def test_adapter_moved_to_another_unit_is_in_the_wrong_unit(make):
    fabric = make()
    fabric.pull(Place("gpu0003 mlx5_2", 1))
    fabric.connect(Place("gpu0003 mlx5_2", 1), fabric.free("su1-leaf2"))
    assert causes(fabric) == [(Kind.WRONG_UNIT, "node/gpu0003/mlx5_2")]


@pytest.mark.parametrize(("make", "other"), [(eight_rail, "gpu0009"), (three_level, "gpu0020")])
def test_adapters_exchanged_between_units_are_one_swap(make, other):
    fabric = make()
    fabric.swap(Place("gpu0003 mlx5_2", 1), Place(f"{other} mlx5_2", 1))
    (found,) = audited(fabric).defects
    assert (found.kind, found.subject, found.touches) == (
        Kind.SWAPPED_HCAS,
        "node/gpu0003/mlx5_2",
        (f"node/{other}/mlx5_2",),
    )


def test_uplink_at_a_spine_of_another_group_is_one_moved_link():
    fabric = three_level()
    place = fabric.cables("su0-leaf1", "su0-spine1")[0]
    fabric.pull(place)
    fabric.connect(place, fabric.free("su5-spine1"))
    (found,) = audited(fabric).defects
    assert (found.kind, found.subject, found.touches) == (
        Kind.MOVED_LINK,
        "switch/su0-leaf1",
        ("switch/su5-spine1", "switch/su0-spine1"),
    )


def test_uplinks_of_two_groups_exchanged_are_reported_from_both_ends_as_moved():
    fabric = three_level()
    fabric.swap(
        fabric.cables("su0-leaf1", "su0-spine1")[0], fabric.cables("su5-leaf1", "su5-spine1")[0]
    )
    assert causes(fabric) == [(Kind.SWAPPED_LINKS, "switch/su0-leaf1")]


@every_shape
def test_uplinks_of_two_leaves_exchanged_within_a_group_are_one_swap(make):
    fabric = make()
    leaf, other, above = names(make)
    sibling = above.replace("spine1", "spine0")
    fabric.swap(fabric.cables(leaf, above)[0], fabric.cables(other, sibling)[0])
    assert causes(fabric) == [(Kind.SWAPPED_LINKS, f"switch/{leaf}")]


@every_shape
def test_cable_between_leaves_in_place_of_their_uplinks_is_one_cause(make):
    fabric = make()
    leaf, other, above = names(make)
    ends = [fabric.cables(one, above)[0] for one in (leaf, other)]
    for place in ends:
        fabric.pull(place)
    fabric.connect(*ends)
    assert causes(fabric) == [(Kind.SAME_LEVEL, f"switch/{leaf}")]


@every_shape
def test_cable_between_leaves_at_free_ports_is_one_cause(make):
    fabric = make()
    leaf, other, _ = names(make)
    fabric.join(leaf, other)
    assert causes(fabric) == [(Kind.SAME_LEVEL, f"switch/{leaf}")]


@every_shape
def test_cable_between_spines_is_one_cause(make):
    fabric = make()
    above = names(make)[2]
    fabric.join(above, above.replace("spine1", "spine0"))
    assert [kind for kind, _ in causes(fabric)] == [Kind.SAME_LEVEL]


def test_cable_from_leaf_to_core_does_not_make_the_core_a_spine():
    fabric = three_level()
    fabric.join("su0-leaf1", "core05")
    found = audited(fabric)
    assert [one.kind for one in found.defects] == [Kind.SAME_LEVEL]
    assert "at levels" in found.defects[0].found
    assert len(found.levels.at(3)) == 64


@every_shape
def test_loop_at_free_ports_is_one_cause(make):
    fabric = make()
    leaf = names(make)[0]
    fabric.connect(Place(leaf, 60), Place(leaf, 61))
    assert causes(fabric) == [(Kind.LOOP, f"switch/{leaf}")]


@every_shape
def test_loop_in_place_of_two_uplinks_is_one_cause(make):
    fabric = make()
    leaf, _, above = names(make)
    one = fabric.cables(leaf, above)[0]
    other = fabric.cables(leaf, above.replace("spine1", "spine0"))[0]
    fabric.pull(one)
    fabric.pull(other)
    fabric.connect(one, other)
    assert causes(fabric) == [(Kind.LOOP, f"switch/{leaf}")]


@with_rails
def test_adapter_on_a_spine_does_not_make_the_spine_a_leaf(make):
    fabric = make()
    above = names(make)[2]
    fabric.pull(Place("gpu0003 mlx5_2", 1))
    fabric.connect(Place("gpu0003 mlx5_2", 1), fabric.free(above))
    assert causes(fabric) == [(Kind.HOST_ON_SPINE, "node/gpu0003/mlx5_2")]


@with_rails
def test_fallen_adapter_is_missed_by_its_host(make):
    fabric = make()
    fabric.remove("gpu0003 mlx5_2")
    assert causes(fabric) == [(Kind.MISSING_HCA, "node/gpu0003/mlx5_2")]


@with_rails
def test_guid_at_two_places_is_one_cause(make):
    fabric = make()
    fabric.guids["gpu0003 mlx5_2"] = fabric.guids["gpu0004 mlx5_2"]
    (found,) = audited(fabric).defects
    assert found.kind is Kind.DUPLICATE_GUID
    assert found.found.endswith("is at gpu0003 mlx5_2 and gpu0004 mlx5_2")


def test_default_node_description_is_a_defect_and_no_missing_host():
    fabric = two_level()
    guid = fabric.guids.pop("node0003 mlx5_0")
    text = fabric.text
    fabric.guids["node0003 mlx5_0"] = guid
    renamed = text().replace(b"node0003 mlx5_0", b"MT4129 ConnectX7   Mellanox Technologies")
    found = audit(ibnetdiscover.parse(renamed).value)
    assert [one.kind for one in found.defects] == [Kind.BAD_DESCRIPTION]


def test_part_without_a_cable_to_the_rest_is_unlike_the_other_planes():
    """Two planes as of a dual-plane design, one with a switch less."""
    fabric = two_level(leaves=4, spines=4, hosts_per_leaf=4)
    for leaf in range(4):
        for spine in range(4):
            if (leaf < 2) != (spine < 2):
                for place in fabric.cables(f"leaf{leaf}", f"spine{spine}"):
                    fabric.pull(place)
    assert len(audited(fabric).planes) == 2
    assert audited(fabric).defects == ()
    fabric.remove("spine3")
    assert [kind for kind, _ in causes(fabric)] == [Kind.UNLIKE_PLANES]


def test_twice_oversubscribed_by_design_is_a_ratio_and_no_defect():
    fabric = two_level(leaves=4, spines=2, hosts_per_leaf=8)
    for leaf in range(4):
        for spine in range(2):
            for place in fabric.cables(f"leaf{leaf}", f"spine{spine}")[2:]:
                fabric.pull(place)
    found = audited(fabric)
    assert found.defects == ()
    assert {one.ratio for one in found.subscriptions} == {2.0}
    assert [one.blocks for one in found.flows] == [True]


def test_two_faults_at_once_are_two_causes():
    fabric = simulated_fabric.three_level()
    fabric.swap(Place("gpu0003 mlx5_2", 1), Place("gpu0003 mlx5_5", 1))
    fabric.pull(fabric.cables("su4-leaf1", "su4-spine6")[0])
    assert causes(fabric) == [
        (Kind.MISSING_LINK, "switch/su4-leaf1"),
        (Kind.SWAPPED_HCAS, "node/gpu0003/mlx5_2"),
    ]


@pytest.mark.parametrize("make", [eight_rail], ids=["eight-rail"])
def test_order_of_the_records_does_not_matter(make):
    fabric = make()
    fabric.swap(Place("gpu0003 mlx5_2", 1), Place("gpu0003 mlx5_5", 1))
    text = fabric.text()
    head, *records = text.decode().rstrip().split("\n\n")
    turned = "\n\n".join([head, *reversed(records)]) + "\n"
    assert audit(ibnetdiscover.parse(turned.encode()).value) == audited(fabric)


@pytest.mark.parametrize(
    "text", [b"#\n", two_level(1, 0, 4).text(), two_level(1, 1, 1).text()], ids=["0", "1", "2"]
)
def test_fabric_of_next_to_nothing_is_no_fault(text):
    found = audit(ibnetdiscover.parse(text).value)
    assert (found.defects, found.flows) == ((), ())
