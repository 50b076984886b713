from __future__ import annotations

from xml.etree import ElementTree

from sunk_fabric.parse import ibnetdiscover
from sunk_fabric.topology.audit import audit
from sunk_fabric.topology.svg import draw
from sunk_fabric.topology.tree import Branch, branches
from tests.support.golden import check_golden
from tests.support.simulated_fabric import eight_rail, three_level, two_level


def audited(fabric):
    return audit(ibnetdiscover.parse(fabric.text()).value)


def broken():
    fabric = eight_rail()
    fabric.pull(fabric.cables("su0-leaf1", "spine1")[0])
    fabric.slow_down(fabric.cables("su1-leaf4", "spine2")[0], "2xNDR")
    return audited(fabric)


def lines(branch: Branch, depth: int = 0) -> list[str]:
    return [
        "  " * depth + branch.text,
        *(line for one in branch.below for line in lines(one, depth + 1)),
    ]


def test_picture_of_a_broken_fabric_is_as_expected():
    check_golden("fabric/eight-rail-broken.svg", draw(broken()))


def test_tree_of_a_broken_fabric_is_as_expected():
    check_golden("fabric/eight-rail-broken.tree", "\n".join(lines(branches(broken()))) + "\n")


def test_every_switch_is_drawn_once_at_its_own_place():
    found = audited(three_level())
    root = ElementTree.fromstring(draw(found))
    boxes = [one for one in root if one.tag.endswith("rect") and "rx" in one.attrib]
    assert len({(one.get("x"), one.get("y")) for one in boxes}) == 192
    assert {one.get("fill") for one in boxes} == {"steelblue"}


def test_hostile_names_are_text_and_no_markup():
    fabric = two_level(leaves=2)
    text = fabric.text().replace(b"leaf0", b"<script>&\x1b[31m")
    picture = draw(audit(ibnetdiscover.parse(text).value))
    texts = [one.text for one in ElementTree.fromstring(picture).iter() if one.text]
    assert "<script>&\\x1b[31m" in texts
    assert "\x1b" not in picture


def test_empty_fabric_is_an_empty_picture_and_one_line():
    found = audit(ibnetdiscover.parse(b"#\n").value)
    ElementTree.fromstring(draw(found))
    assert branches(found) == Branch("0 hosts, 0 adapters, 0 switches, 0 cables")


def test_switch_names_that_are_no_hostlist_are_listed():
    fabric = two_level(leaves=2)
    text = fabric.text().replace(b"leaf0", b"MF0;leaf0:MQM9700/U1")
    assert "scalable unit 1" in lines(branches(audit(ibnetdiscover.parse(text).value)))[2]
