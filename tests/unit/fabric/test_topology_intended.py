"""A scan against a plan: every difference is one cause, in words somebody can act on."""

from __future__ import annotations

import pytest

from sunk_fabric.parse import ibnetdiscover, link_list
from sunk_fabric.parse.link_list import IntendedLink, Plug
from sunk_fabric.rates import Rate
from sunk_fabric.topology.defect import DefectKind as Kind
from sunk_fabric.topology.fabric import build
from sunk_fabric.topology.intended import compare, intended_of
from tests.support.simulated_fabric import Place, Simulated, eight_rail


def built(fabric: Simulated):
    return build(ibnetdiscover.parse(fabric.text()).value)


PLAN = intended_of(built(eight_rail()))


def differences(fabric: Simulated, plan=PLAN):
    return [(one.kind, one.subject) for one in compare(built(fabric), plan)]


def test_what_is_as_planned_has_no_difference():
    assert differences(eight_rail()) == []


def test_pulled_cable_is_a_missing_link():
    fabric = eight_rail()
    fabric.pull(Place("su0-leaf1", 9))
    assert differences(fabric) == [(Kind.MISSING_LINK, "switch/spine0")]


def test_two_cables_exchanged_are_one_swap_that_says_how_to_recable():
    fabric = eight_rail()
    fabric.swap(Place("gpu0003 mlx5_2", 1), Place("gpu0004 mlx5_2", 1))
    (found,) = compare(built(fabric), PLAN)
    assert (found.kind, found.subject, found.remedy) == (
        Kind.SWAPPED_LINKS,
        "node/gpu0003/mlx5_2",
        "recable: cable from gpu0003 mlx5_2 port 1 to su0-leaf2 port 4;"
        " cable from gpu0004 mlx5_2 port 1 to su0-leaf2 port 5",
    )


def test_chain_of_three_is_one_permutation():
    fabric = eight_rail()
    fabric.swap(Place("gpu0003 mlx5_2", 1), Place("gpu0004 mlx5_2", 1))
    fabric.swap(Place("gpu0004 mlx5_2", 1), Place("gpu0005 mlx5_2", 1))
    assert [kind for kind, _ in differences(fabric)] == [Kind.MOVED_LINK]


def test_cable_at_a_free_port_is_one_moved_link():
    fabric = eight_rail()
    fabric.pull(Place("gpu0003 mlx5_2", 1))
    fabric.connect(Place("gpu0003 mlx5_2", 1), Place("su0-leaf2", 60))
    assert differences(fabric) == [(Kind.MOVED_LINK, "node/gpu0003/mlx5_2")]


def test_dead_switch_is_one_missing_switch():
    fabric = eight_rail()
    fabric.remove("spine2")
    assert differences(fabric) == [(Kind.MISSING_SWITCH, "switch/spine2")]


def test_dead_host_is_one_missing_host():
    fabric = eight_rail()
    for rail in range(8):
        fabric.remove(f"gpu0003 mlx5_{rail}")
    assert differences(fabric) == [(Kind.MISSING_HOST, "node/gpu0003")]


def test_fallen_adapter_is_missing_and_its_cable_is_named():
    fabric = eight_rail()
    fabric.remove("gpu0003 mlx5_2")
    (found,) = compare(built(fabric), PLAN)
    assert (found.kind, found.subject) == (Kind.MISSING_HCA, "node/gpu0003/mlx5_2")
    assert found.found.endswith("its cable should be at su0-leaf2 port 4")


def test_two_hosts_with_each_others_cables_are_exchanged():
    fabric = eight_rail()
    for rail in range(8):
        fabric.swap(Place(f"gpu0003 mlx5_{rail}", 1), Place(f"gpu0011 mlx5_{rail}", 1))
    assert differences(fabric) == [(Kind.HOSTS_EXCHANGED, "node/gpu0003")]


def test_new_name_at_the_same_cables_is_renamed():
    text = eight_rail().text().replace(b"spine2", b"spine-two")
    fabric = build(ibnetdiscover.parse(text).value)
    assert [(one.kind, one.subject) for one in compare(fabric, PLAN)] == [
        (Kind.RENAMED, "switch/spine-two")
    ]


def test_unplanned_switch_is_one_difference():
    fabric = eight_rail()
    fabric.join(fabric.add_switch("spare"), "spine1", 3)
    assert differences(fabric) == [(Kind.EXTRA_LINK, "switch/spare")]


def test_unplanned_cable_between_known_switches_is_an_extra_link():
    fabric = eight_rail()
    fabric.connect(Place("su0-leaf1", 60), Place("spine1", 60))
    assert differences(fabric) == [(Kind.EXTRA_LINK, "switch/spine1")]


def test_slower_than_planned_is_degraded():
    fabric = eight_rail()
    fabric.slow_down(Place("su0-leaf1", 9), "4xHDR")
    assert differences(fabric) == [(Kind.DEGRADED, "switch/spine0")]


def test_replaced_hardware_with_another_guid_is_no_difference():
    fabric = eight_rail()
    fabric.guids["gpu0003 mlx5_2"] = 0xB88888888888
    assert differences(fabric) == []


SHEET = b"""from,from_port,to,to_port,rate,cable,from_place,to_place
su1-leaf2,33,"spine1",3,4xNDR,C0417,rack 12 U40,rack 30 U12
gpu001 mlx5_1,1,su1-leaf2,1,,,rack 7 U3,rack 12 U40
"""


def test_sheet_is_read_with_racks_and_labels():
    parsed = link_list.parse(SHEET)
    assert parsed.trouble == ""
    leaf, spine = Plug("su1-leaf2", 33), Plug("spine1", 3)
    assert parsed.value[0] == IntendedLink(
        ends=(spine, leaf),
        rate=Rate(4, "NDR"),
        cable="C0417",
        places=((leaf, "rack 12 U40"), (spine, "rack 30 U12")),
    )
    assert parsed.value[1].rate is None


def test_difference_names_rack_and_label_of_the_sheet():
    fabric = Simulated()
    fabric.add_switch("su1-leaf2")
    fabric.add_switch("spine1")
    fabric.connect(Place(fabric.add_hca("gpu001", "mlx5_1"), 1), Place("su1-leaf2", 1))
    (found,) = compare(built(fabric), link_list.parse(SHEET).value)
    assert found.found == (
        "cable C0417 from spine1 port 3 (rack 30 U12) to su1-leaf2 port 33 (rack 12 U40) is missing"
    )


@pytest.mark.parametrize(
    ("text", "trouble"),
    [
        (b"", "the output is empty"),
        (b"from,to\n", "the column from_port is missing"),
        (SHEET.replace(b"cable,", b"colour,"), "the column colour is none of"),
        (SHEET + b"x,1,su1-leaf2,33,,,,\n", "su1-leaf2 port 33 stands in two rows"),
        (SHEET + b"x,one,y,1,,,,\n", "1 line not understood, line 4: x,one,y,1,,,,"),
        (SHEET + b"x,1,y,1,9xABC,,,\n", "1 line not understood, line 4"),
        (SHEET + b"x,1,x,1,,,,\n", "1 line not understood, line 4"),
        (SHEET + b'x,"1,y,1\n', "1 line not understood, line 4"),
    ],
)
def test_sheet_that_cannot_be_meant_is_never_sound(text, trouble):
    assert link_list.parse(text).trouble.startswith(trouble)
