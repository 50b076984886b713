"""Forwarding tables followed over a fabric: where they lead, how evenly, and what locks up."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sunk.assess.verdict import Verdict
from sunk_fabric import service
from sunk_fabric.parse import dump_lfts, ibdmchk, ibnetdiscover
from sunk_fabric.topology.audit import audit
from sunk_fabric.topology.parts import End
from sunk_fabric.topology.routes import HOPS_LIMIT, Routes, follow
from tests.support.examples import examples
from tests.support.fabric_texts import FOLDER
from tests.support.forwarding import dump, lids_of, shortest
from tests.support.simulated_fabric import (
    Place,
    Simulated,
    eight_rail,
    ring,
    three_level,
    two_level,
)

LEAVES, HOSTS = 4, 8


def made() -> Simulated:
    return two_level(leaves=LEAVES, spines=2, hosts_per_leaf=HOSTS)


def followed(fabric: Simulated, tables) -> Routes:
    scan = ibnetdiscover.parse(fabric.text()).value
    found = audit(scan)
    read = dump_lfts.parse(dump(fabric, tables))
    assert read.trouble == ""
    return follow(scan, found.fabric, found.levels, read.value)


def asked(folder, fabric: Simulated, tables, name: str):
    """Return (verdict, subject, found) of one check."""
    (folder / "ibnetdiscover.txt").write_bytes(fabric.text())
    (folder / "dump_lfts.txt").write_bytes(dump(fabric, tables))
    found = service.check(folder, None, None, [name])
    return [(one.verdict, one.subject, one.found) for one in found if one.check == name]


def test_shortest_ways_reach_all_evenly_and_cannot_lock_up():
    routes = followed(made(), shortest(made()))
    count = LEAVES * HOSTS
    local, far = count * (HOSTS - 1), count * (count - HOSTS)
    assert (routes.adapters, routes.pairs) == (count, count * (count - 1))
    assert routes.hops == {1: local, 3: far}
    assert (routes.unreachable_count, routes.circle_count, routes.deadlock) == (0, 0, ())
    assert {one.imbalance for one in routes.uplinks} == {1.0}
    assert [sum(one.paths.values()) for one in routes.uplinks] == [HOSTS * (count - HOSTS)] * LEAVES


@pytest.mark.parametrize("fabric", [eight_rail(2, 8, 4), three_level(2, 8)], ids=["rail", "three"])
def test_healthy_fabric_passes_all_three(fabric, tmp_path):
    for name in ("ib.lft.reach", "ib.lft.balance", "ib.lft.deadlock"):
        assert [one[:2] for one in asked(tmp_path, fabric, shortest(fabric), name)] == [
            (Verdict.PASS, "fabric")
        ]


def test_lid_that_a_leaf_has_no_way_to_is_named(tmp_path):
    tables = shortest(made())
    del tables["leaf2"][lids_of(made())["node0003 mlx5_0"]]
    ((verdict, subject, words),) = asked(tmp_path, made(), tables, "ib.lft.reach")
    assert (verdict, subject) == (Verdict.FAIL, "fabric")
    assert words == (
        "1 ways from leaves to adapters end nowhere, such as from leaf2 to node0003 mlx5_0"
    )
    for name in ("ib.lft.balance", "ib.lft.deadlock"):
        ((verdict, _, words),) = asked(tmp_path, made(), tables, name)
        assert (verdict, words) == (Verdict.UNKNOWN, "1 ways do not arrive: see ib.lft.reach")


def test_way_to_another_adapter_does_not_arrive():
    tables = shortest(made())
    lids = lids_of(made())
    tables["leaf0"][lids["node0000 mlx5_0"]] = tables["leaf0"][lids["node0001 mlx5_0"]]
    routes = followed(made(), tables)
    assert routes.unreachable_count == LEAVES
    assert {target for _, target in routes.unreachable} == {
        f"{made().guids['node0000 mlx5_0']:016x}"
    }


def test_way_in_circles_is_named(tmp_path):
    tables = shortest(made())
    lid = lids_of(made())["node0000 mlx5_0"]
    tables["spine0"][lid] = made().cables("spine0", "leaf2")[0].port
    tables["leaf2"][lid] = made().cables("leaf2", "spine0")[0].port
    ((verdict, _, words),) = asked(tmp_path, made(), tables, "ib.lft.reach")
    assert verdict is Verdict.FAIL
    assert "go in circles, such as from leaf" in words


@pytest.mark.parametrize(
    ("moved", "verdict"), [(0, Verdict.PASS), (1, Verdict.WARN), (3, Verdict.FAIL)]
)
def test_uneven_uplinks_are_judged_by_most_over_mean(moved, verdict, tmp_path):
    """24 destinations over 8 uplinks are 3 each: one more is 1.33 of the mean, three are 2."""
    tables, lids = shortest(made()), lids_of(made())
    far = [lid for name, lid in lids.items() if name.startswith("node") and lid in tables["leaf1"]]
    up = [lid for lid in far if tables["leaf1"][lid] > HOSTS]
    busy = tables["leaf1"][up[0]]
    for lid in [lid for lid in up if tables["leaf1"][lid] != busy][:moved]:
        tables["leaf1"][lid] = busy
    ((got, subject, words),) = asked(tmp_path, made(), tables, "ib.lft.balance")
    assert (got, subject) == (verdict, "fabric")
    assert f"has {3 + moved} destinations, 3.0 on average" in words
    assert words.startswith("1 of 4 switches are uneven" if moved else "at most 1.00 of the mean")


def test_ring_routed_one_way_can_lock_up():
    fabric = ring(4)
    lids = lids_of(fabric)
    tables = {
        f"s{here}": {
            **{lids[f"s{to}"]: 0 if to == here else 2 for to in range(4)},
            **{lids[f"node{to} mlx5_0"]: 1 if to == here else 2 for to in range(4)},
        }
        for here in range(4)
    }
    routes = followed(fabric, tables)
    assert (routes.unreachable_count, routes.circle_count) == (0, 0)
    assert set(routes.deadlock) == {End(f"{fabric.guids[f's{one}']:016x}", 2) for one in range(4)}


def test_tables_of_some_switches_say_nothing(tmp_path):
    tables = shortest(made())
    del tables["spine1"]
    for name in ("ib.lft.reach", "ib.lft.balance", "ib.lft.deadlock"):
        assert asked(tmp_path, made(), tables, name) == [
            (Verdict.UNKNOWN, "fabric", "tables of 5 of 6 switches")
        ]


def test_last_lid_that_the_tool_leaves_out_is_unknown_and_no_more(tmp_path):
    fabric = two_level(leaves=4, spines=2, hosts_per_leaf=14)
    fabric.add_switch("zz-spare")
    fabric.join("zz-spare", fabric.add_hca("zzz", "mlx5_0"))
    fabric.join("zz-spare", "spine0")
    assert lids_of(fabric)["zzz mlx5_0"] == 64
    found = asked(tmp_path, fabric, shortest(fabric), "ib.lft.reach")
    assert [one[:2] for one in found] == [
        (Verdict.PASS, "fabric"),
        (Verdict.UNKNOWN, "fabric"),
    ]
    assert "leave out the LID of zzz mlx5_0" in found[1][2]


@given(data=st.data())
@settings(max_examples=examples(40))
def test_following_all_at_once_gives_what_following_each_does(data):
    fabric = two_level(leaves=3, spines=2, hosts_per_leaf=2)
    tables = shortest(fabric)
    hosts = sorted(name for name in fabric.guids if name.startswith("node"))
    lids = lids_of(fabric)
    for _ in range(data.draw(st.integers(0, 8))):
        switch = data.draw(st.sampled_from(sorted(tables)))
        target = data.draw(st.sampled_from(hosts))
        port = data.draw(st.one_of(st.integers(0, 8), st.just(255)))
        tables[switch][lids[target]] = port
    routes = followed(fabric, {name: _without_gaps(rows) for name, rows in tables.items()})
    hops, lost, circles = _each(fabric, tables, hosts, lids)
    assert (routes.hops, routes.unreachable_count, routes.circle_count) == (hops, lost, circles)


def _without_gaps(rows: dict[int, int]) -> dict[int, int]:
    return {lid: port for lid, port in rows.items() if port != 255}


def _each(fabric: Simulated, tables, hosts, lids):
    """Follow one way after the other, the plain way."""
    leaf_of = {name: fabric.peers[Place(name, 1)].node for name in hosts}
    hops: Counter[int] = Counter()
    lost = circles = 0
    for leaf in sorted(set(leaf_of.values())):
        senders = [name for name in hosts if leaf_of[name] == leaf]
        for target in hosts:
            at, count = leaf, 0
            while True:
                count += 1
                if count > HOPS_LIMIT:
                    circles += 1
                    break
                far = fabric.peers.get(Place(at, tables[at].get(lids[target], 255)))
                if far is not None and far.node == target:
                    pairs = len(senders) - (target in senders and count == 1)
                    hops[count] += pairs
                    break
                if far is None or far.node not in fabric.switches:
                    lost += 1
                    break
                at = far.node
    return dict(sorted((one, many) for one, many in hops.items() if many)), lost, circles


@pytest.mark.parametrize(("name", "verdict"), [("tree", Verdict.PASS), ("ring", Verdict.FAIL)])
def test_word_of_ibdmchk_counts_where_there_are_no_tables(name, verdict, tmp_path):
    (tmp_path / "ibnetdiscover.txt").write_bytes(made().text())
    (tmp_path / "ibdmchk.txt").write_bytes((FOLDER / "ibdmchk" / f"{name}.txt").read_bytes())
    found = service.check(tmp_path, None, None, ["ib.lft.deadlock"])
    assert [one.verdict for one in found if one.check == "ib.lft.deadlock"] == [verdict]


def test_ibdmchk_outranks_tables_that_show_no_circle(tmp_path):
    (tmp_path / "ibdmchk.txt").write_bytes((FOLDER / "ibdmchk" / "ring.txt").read_bytes())
    ((verdict, _, words),) = asked(tmp_path, made(), shortest(made()), "ib.lft.deadlock")
    assert (verdict, words.split()[0]) == (Verdict.FAIL, "ibdmchk")


def test_ibdmchk_that_did_not_get_to_its_end_says_nothing():
    text = (FOLDER / "ibdmchk" / "tree.txt").read_bytes()
    cut = text[: text.index(b"-I- no credit loops")]
    assert "did not get to its end" in ibdmchk.parse(cut).trouble
