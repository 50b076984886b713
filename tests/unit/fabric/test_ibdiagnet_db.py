"""The database of ibdiagnet gives the scan that ibnetdiscover gives."""

from __future__ import annotations

import pytest

from sunk.assess.verdict import Verdict
from sunk_fabric import service
from sunk_fabric.parse import ibdiagnet_db, ibnetdiscover
from sunk_fabric.topology.audit import audit
from tests.support.fabric_texts import FOLDER
from tests.support.simulated_fabric import two_level

TEXT = (FOLDER / "ibdiagnet_db" / "two-leaves.txt").read_bytes()


def test_same_fabric_is_audited_alike_from_either_tool():
    scan = ibnetdiscover.parse(two_level(leaves=2, spines=1, hosts_per_leaf=2).text())
    database = ibdiagnet_db.parse(TEXT)
    assert database.trouble == ""
    one, other = audit(scan.value), audit(database.value)
    assert (one.fabric, one.levels, one.flows) == (other.fabric, other.levels, other.flows)
    lids = [
        {(node.guid, node.lid, *(line.lid for line in node.ports)) for node in each.value.nodes}
        for each in (scan, database)
    ]
    assert lids[0] == lids[1]


def test_columns_are_found_by_name_whatever_their_order_and_case():
    changed = TEXT.replace(b"NodeGuid,PortGuid,PortNum,", b"NodeGUID,PortGUID,PortNumber,")
    assert changed != TEXT
    assert ibdiagnet_db.parse(changed) == ibdiagnet_db.parse(TEXT)


@pytest.mark.parametrize(
    ("old", "new", "trouble"),
    [
        (b"END_PORTS\n", b"", "the table PORTS does not end"),
        (b"START_LINKS", b"START_LINKED", "there is no table LINKS"),
        (b",2,2,2048,5,4,5\n", b",2,2,4096,5,4,5\n", "has an unknown width or speed"),
        (b"PortNum2", b"PortNum3", "the table LINKS has no column portnum2"),
        (b",64,2,1,1,", b",64,7,1,1,", "is of the unknown type '7'"),
    ],
)
def test_database_that_is_not_whole_is_not_sound(old, new, trouble):
    parsed = ibdiagnet_db.parse(TEXT.replace(old, new))
    assert not parsed.sound
    assert trouble in " ".join((*parsed.damage, parsed.trouble))


def test_database_is_judged_where_there_is_no_other_scan(tmp_path):
    (tmp_path / "ibdiagnet_db.txt").write_bytes(TEXT)
    found = service.check(tmp_path, None, None, ["ib.topology.levels"])
    assert {(one.check, one.verdict) for one in found} == {
        ("ib.guid.unique", Verdict.PASS),
        ("ib.topology.levels", Verdict.PASS),
    }
