from __future__ import annotations

from dataclasses import replace

import pytest

from sunk.errors import InputError
from sunk.model.limits import AssociationLimits, Limits, Qos
from sunk.render.profile_detect import SlurmSays
from sunk.render.snapshot import AccountingSays, snapshot
from tests.support.recorded_texts import recorded

SAID = SlurmSays(configuration=recorded("configuration"), partitions=recorded("partitions"))
ACCOUNTING = AccountingSays(
    qos=recorded("qos"), associations=recorded("associations"), users=recorded("users")
)


def test_limits_of_a_real_slurmdbd_are_read():
    found = snapshot(SAID, ACCOUNTING)
    normal = Limits(max_minutes=120, max_tres={"cpu": 12})
    assert found.qos == (Qos(name="normal", limits=normal),)
    assert found.associations is not None
    assert found.associations[2:] == (
        AssociationLimits(
            account="research",
            parent="root",
            qos=("normal",),
            limits=Limits(
                max_minutes=60,
                max_tres={"node": 2},
                group_tres={"cpu": 8, "node": 2},
                max_submit=4,
            ),
        ),
        AssociationLimits(
            account="research",
            user="alice",
            qos=("normal",),
            limits=Limits(max_minutes=60, max_tres={"node": 2}, max_submit=4),
        ),
    )
    assert found.default_accounts == {"alice": "research", "root": "root"}


def test_what_nobody_asked_for_is_not_known():
    found = snapshot(SAID, AccountingSays())
    assert (found.qos, found.associations, found.default_accounts) == (None, None, None)


def test_associations_of_other_clusters_are_left_out():
    other = recorded("associations").replace("lab|research|alice", "far|research|alice")
    found = snapshot(SAID, replace(ACCOUNTING, associations=other))
    assert found.associations is not None
    assert "alice" not in {one.user for one in found.associations}


def test_what_a_user_gets_in_all_limits_a_job_too():
    text = "Name|MaxWall|MaxTRES|MaxTRESPU|MaxSubmitPU|GrpTRES|MinTRES|Flags\n"
    text += "n|||cpu=4,node=9||cpu=8|gres/gpu=1|OverPartQOS,DenyOnLimit\n"
    (found,) = snapshot(SAID, replace(ACCOUNTING, qos=text)).qos or ()
    assert found == Qos(
        name="n",
        limits=Limits(group_tres={"cpu": 4, "node": 9}, min_tres={"gres/gpu": 1}),
        flags=frozenset({"OverPartQOS", "DenyOnLimit"}),
    )


def test_sizes_of_blocks_are_those_of_the_topology():
    said = replace(SAID, topology="BlockName=a Nodes=w[1-2]\nBlockName=b Nodes=w[3,10]\n")
    assert snapshot(said, ACCOUNTING).blocks == (2, 2)
    assert snapshot(SAID, ACCOUNTING).blocks == ()


def test_table_without_a_column_is_refused():
    with pytest.raises(InputError, match="read sacctmgr show qos: no column GrpTRES"):
        snapshot(SAID, replace(ACCOUNTING, qos="Name|MaxWall\nnormal|\n"))
