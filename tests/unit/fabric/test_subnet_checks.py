"""Checks on what managers and their logs say, and on whole switches that are gone."""

from __future__ import annotations

import pytest

from sunk.assess.verdict import Verdict
from sunk_fabric import service
from sunk_fabric.expected import Expected
from sunk_fabric.parse import iblinkinfo, ibnetdiscover
from sunk_fabric.topology.audit import audit
from sunk_fabric.topology.defect import DefectKind
from sunk_fabric.topology.fabric import build
from sunk_fabric.topology.intended import compare, intended_of
from tests.support.fabric_texts import text
from tests.support.simulated_fabric import Simulated, eight_rail, two_level


def asked(folder, files, only, expected=None, intended=None):
    """Return (check, verdict, subject) of what `only` names, and what was found."""
    for name, content in files.items():
        (folder / name).write_bytes(content)
    found = service.check(folder, expected, intended, [only])
    return [(one.verdict, one.subject, one.found) for one in found if one.check == only]


def plan_of(fabric: Simulated):
    return intended_of(build(ibnetdiscover.parse(fabric.text()).value))


ALIVE = text("sminfo", "master").replace(b"1303", b"1309")
BOTH = text("saquery", "is-sm")
"""Ports at LID 1 and 9 say that they run a manager."""
ONE = BOTH.replace(b"0x40C04A\n\n", b"0x40C048\n\n")
MANAGERS = {"sminfo.txt": text("sminfo", "master") + ALIVE, "saquery.is-sm.txt": ONE}


@pytest.mark.parametrize(
    ("name", "old", "new", "verdict", "words"),
    [
        ("managers", b"", b"", Verdict.PASS, "2 managers, standby at lid 9"),
        ("managers", b"SMState...............2", b"SMState...............1", Verdict.WARN, "none"),
        ("path", b"", b"", Verdict.UNKNOWN, "found nothing to judge"),
    ],
)
def test_standby_is_one_that_the_administrator_tells_of(tmp_path, name, old, new, verdict, words):
    same = text("saquery", name).replace(b"0xa088c20300000041", b"0xa088c20300001001")
    files = {**MANAGERS, "saquery.txt": same.replace(old, new)}
    ((got, _, found),) = asked(tmp_path, files, "ib.sm.standby")
    assert (got, found.endswith(words)) == (verdict, True)


def test_without_a_manager_the_question_for_a_standby_waits(tmp_path):
    files = {"sminfo.txt": text("sminfo", "silence"), "saquery.txt": text("saquery", "managers")}
    assert [one[0] for one in asked(tmp_path, files, "ib.sm.standby")] == [Verdict.BLOCKED]
    assert asked(tmp_path, files, "ib.sm.master") == [
        (Verdict.FAIL, "fabric", "nobody answers as subnet manager")
    ]


@pytest.mark.parametrize(
    ("ports_obey", "at_lid", "state", "verdict", "words"),
    [
        (
            "master",
            9,
            3,
            Verdict.FAIL,
            "2 masters: 000000000000feed at lid 9, a088c20300001001 at lid 1",
        ),
        ("master", 9, 2, Verdict.PASS, "master at lid 1, priority 0, alive"),
        ("silence", 9, 3, Verdict.FAIL, "nobody answers as subnet manager"),
    ],
)
def test_master_that_the_ports_do_not_obey_is_a_second_one(
    tmp_path, ports_obey, at_lid, state, verdict, words
):
    other = f"sminfo: sm lid {at_lid} sm guid 0xfeed, activity count 7 priority 3 state {state} X\n"
    first = MANAGERS["sminfo.txt"] if ports_obey == "master" else text("sminfo", ports_obey)
    files = {"sminfo.first.txt": first, f"sminfo.at-lid-{at_lid}.txt": other.encode()}
    files["saquery.is-sm.txt"] = BOTH
    assert asked(tmp_path, files, "ib.sm.master") == [(verdict, "fabric", words)]


ALONE = "master at lid 1, priority 0, alive"


@pytest.mark.parametrize(
    ("listed", "verdict", "words"),
    [
        (ONE, Verdict.PASS, ALONE),
        (BOTH, Verdict.UNKNOWN, f"{ALONE}; another may run at lid 9, which did not answer"),
        (None, Verdict.UNKNOWN, f"{ALONE}; whether there is another, saquery -s tells"),
        (
            ONE.replace(b"EndPortLid..............1\n", b"EndPortLid..............7\n"),
            Verdict.UNKNOWN,
            f"{ALONE}; saquery -s, which tells of others, does not list it",
        ),
        (
            text("saquery", "path"),
            Verdict.UNKNOWN,
            f"{ALONE}; whether there is another, saquery -s tells",
        ),
    ],
)
def test_master_is_the_only_one_where_no_other_port_says_it_runs_one(
    tmp_path, listed, verdict, words
):
    files = {"sminfo.txt": MANAGERS["sminfo.txt"]}
    files |= {"saquery.is-sm.txt": listed} if listed else {}
    assert asked(tmp_path, files, "ib.sm.master") == [(verdict, "fabric", words)]


def test_second_master_of_the_administrators_own_records_is_named_with_its_node(tmp_path):
    fabric = two_level(leaves=2, spines=1, hosts_per_leaf=2)
    other = text("saquery", "managers").replace(
        b"SMState...............2", b"SMState...............3"
    )
    files = {**MANAGERS, "saquery.txt": other, "ibnetdiscover.txt": fabric.text()}
    ((verdict, _, words),) = asked(tmp_path, files, "ib.sm.master")
    assert verdict is Verdict.FAIL
    assert "a088c20300000061 at lid 9" in words
    names = {lid: name for name, lid in lids(fabric).items()}
    assert f"at lid 1 ({names[1]})" in words


def lids(fabric):
    """Return description -> LID of a fabric's adapters and switches."""
    nodes = ibnetdiscover.parse(fabric.text()).value.nodes
    ports = {one.description: port.lid for one in nodes for port in one.ports if port.port_guid}
    return ports | {one.description: one.lid for one in nodes if one.lid}


def test_log_of_a_standby_does_not_judge_the_routing(tmp_path):
    files = {
        **MANAGERS,
        "opensm_log.one.txt": text("opensm_log", "updn-fell-back"),
        "opensm_log.two.txt": text("opensm_log", "standby"),
    }
    found = asked(tmp_path, files, "ib.sm.routing", Expected(routing_engine="minhop"))
    assert found == [(Verdict.PASS, "fabric", "minhop routes, minhop declared")]
    del files["opensm_log.one.txt"]
    (tmp_path / "opensm_log.one.txt").unlink()
    found = asked(tmp_path, files, "ib.sm.routing", Expected(routing_engine="minhop"))
    assert [one[0] for one in found] == [Verdict.UNKNOWN]


def test_guid_that_the_manager_met_twice_fails_where_the_scan_shows_one(tmp_path):
    fabric = two_level(leaves=2, spines=1, hosts_per_leaf=2)
    files = {
        "ibnetdiscover.txt": fabric.text(),
        "opensm_log.txt": text("opensm_log", "cloned-guid"),
    }
    assert asked(tmp_path, files, "ib.guid.unique") == [
        (
            Verdict.FAIL,
            "guid/a088c20300000060",
            "opensm met the GUID a088c20300000060 behind leaf1 port 1 and behind leaf1 port 2",
        )
    ]


def test_manager_that_came_up_again_has_met_no_guid_twice(tmp_path):
    up = text("opensm_log", "updn-fell-back").splitlines(keepends=True)[-2:]
    assert any(b"SUBNET UP" in one for one in up)
    log = text("opensm_log", "cloned-guid") + b"".join(up)
    files = {"ibnetdiscover.txt": two_level(2, 1, 2).text(), "opensm_log.txt": log}
    assert [one[0] for one in asked(tmp_path, files, "ib.guid.unique")] == [Verdict.PASS]


def test_port_whose_peer_cannot_be_asked_is_read_without_one():
    found = iblinkinfo.parse(text("iblinkinfo", "cloned-guid"))
    alone = [one for one in found.value if one.state == "Active" and one.peer_lid is None]
    assert (found.trouble, [(one.description, one.port) for one in alone]) == ("", [("leaf1", 1)])


@pytest.mark.parametrize(
    ("counter", "value", "verdict"),
    [
        (b"PortXmitDiscards", b"100", Verdict.WARN),
        (b"PortXmitDiscards", b"101", Verdict.FAIL),
        (b"PortRcvErrors", b"10", Verdict.WARN),
        (b"PortRcvErrors", b"11", Verdict.FAIL),
        (b"LinkDownedCounter", b"1", Verdict.FAIL),
    ],
)
def test_few_discards_are_a_warning_and_many_fail(tmp_path, counter, value, verdict):
    errors = text("ibqueryerrors", "simulated-errors")
    both = b"[SymbolErrorCounter == 12] [LinkDownedCounter == 2] [PortXmitDiscards == 1]"
    assert both in errors
    changed = errors.replace(both, b"[" + counter + b" == " + value + b"]")
    found = asked(tmp_path, {"ibqueryerrors.txt": changed}, "ib.counters.fabric")
    assert [one[0] for one in found] == [verdict]


# --- whole switches


def without(fabric: Simulated, switch: str) -> Simulated:
    """Take a switch away, and adapters that nothing connects any more."""
    behind = [far.node for place, far in fabric.peers.items() if place.node == switch]
    fabric.remove(switch)
    for name in behind:
        if name in fabric.guids and not any(place.node == name for place in fabric.peers):
            fabric.remove(name)
    return fabric


def test_missing_leaf_of_a_unit_is_one_defect_and_not_one_for_each_host():
    fabric = without(eight_rail(units=2), "su1-leaf3")
    found = audit(ibnetdiscover.parse(fabric.text()).value)
    assert [(one.kind, one.subject) for one in found.defects] == [
        (DefectKind.MISSING_LEAF, "fabric")
    ]
    assert "gpu0008 to gpu0015, have no mlx5_3 in the fabric" in found.defects[0].found


def test_plan_names_the_missing_leaf_with_what_hangs_at_it(tmp_path):
    plan = plan_of(eight_rail(units=2))
    fabric = without(eight_rail(units=2), "su1-leaf3")
    files = {"ibnetdiscover.txt": fabric.text()}
    ((verdict, subject, words),) = asked(tmp_path, files, "ib.switches.complete", None, plan)
    assert (verdict, subject) == (Verdict.FAIL, "switch/su1-leaf3")
    assert words.endswith("8 adapters behind it are not either")
    for name in ("ib.nodes.complete", "ib.topology.rails", "ib.topology.intended"):
        assert [one[0] for one in asked(tmp_path, files, name, None, plan)] == [Verdict.PASS]


def test_host_behind_a_missing_leaf_hides_no_host_that_is_missing_elsewhere():
    fabric = without(two_level(), "leaf1")
    fabric.remove("node0003 mlx5_0")
    built = build(ibnetdiscover.parse(fabric.text()).value)
    assert [(one.kind, one.subject) for one in compare(built, plan_of(two_level()))] == [
        (DefectKind.MISSING_HOST, "node/node0003"),
        (DefectKind.MISSING_SWITCH, "switch/leaf1"),
    ]


def test_spine_that_is_gone_is_one_line_and_a_plan_names_it(tmp_path):
    fabric = without(eight_rail(), "spine1")
    files = {"ibnetdiscover.txt": fabric.text()}
    ((verdict, subject, words),) = asked(tmp_path, files, "ib.topology.nonblocking")
    assert (verdict, subject) == (Verdict.FAIL, "fabric")
    assert words.startswith("all 16 switches of level 1 from su0-leaf0, su0-leaf1 on have")
    plan = plan_of(eight_rail())
    ((verdict, _, _),) = asked(tmp_path, files, "ib.topology.nonblocking", None, plan)
    assert verdict is Verdict.BLOCKED


TEMPLATE = text("opensm_conf", "template")
NOT_HERE = text("opensm_conf", "not-here")


@pytest.mark.parametrize(
    ("setting", "verdict", "words"),
    [
        (b"shield_mode 1\n", Verdict.PASS, "shield_mode is 1"),
        (b"shield_mode 0\n", Verdict.WARN, "shield_mode is 0"),
        (
            b"",
            Verdict.UNKNOWN,
            "it has no shield_mode: the public opensm has none, the vendor's has",
        ),
        (b"shield_mode yes", Verdict.UNKNOWN, "sm1/opensm_conf.txt: the last line does not end"),
    ],
)
def test_self_healing_is_what_the_manager_was_told(setting, verdict, words, check):
    files = {
        "sm1/opensm_conf.txt": TEMPLATE + setting,
        "gpu001/opensm_conf.txt": NOT_HERE,
    }
    ((found, subject, said),) = check("ib.shield.enabled", files)
    assert (found, said[: len(words)]) == (verdict, words)
    assert subject.endswith("node/sm1")


def test_self_healing_without_a_manager_that_was_collected_is_unknown(check):
    assert check("ib.shield.enabled", {"gpu001/opensm_conf.txt": NOT_HERE}) == [
        (
            Verdict.UNKNOWN,
            "fabric",
            "a subnet manager runs on none of the hosts that were collected",
        )
    ]


@pytest.mark.parametrize(
    ("asked", "declared", "verdict", "words"),
    [
        (b"(null)", "ftree", Verdict.FAIL, "minhop is asked for, ftree declared"),
        (b"updn,minhop", "ftree", Verdict.FAIL, "updn is asked for, ftree declared"),
        (
            b"ftree,updn",
            "ftree",
            Verdict.UNKNOWN,
            "ftree is asked for; its log tells whether it configured all switches",
        ),
        (b"ftree", None, Verdict.UNKNOWN, "ftree is asked for, and none is declared"),
    ],
)
def test_engine_that_is_asked_for_is_no_proof_that_it_routes(
    asked, declared, verdict, words, check
):
    settings = TEMPLATE.replace(b"routing_engine (null)", b"routing_engine " + asked)
    files = {"sm1/opensm_conf.txt": settings, "gpu001/opensm_conf.txt": NOT_HERE, **MANAGERS}
    found = check("ib.sm.routing", files, Expected(routing_engine=declared))
    assert found == [(verdict, "fabric", words)]
