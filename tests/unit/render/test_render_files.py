from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import strategies as st

from sunk.errors import InputError
from sunk.model.cluster import SlurmCluster, User
from sunk.render.accounts import (
    render_authorized_keys,
    render_group,
    render_passwd,
    render_shadow,
)
from sunk.render.checks import problems
from sunk.render.database_conf import render_client_cnf, render_init_sql, render_slurmdbd_conf
from sunk.render.isolation import render_cgroup_conf
from sunk.render.slurm_conf import (
    render_gres_conf,
    render_mpi_conf,
    render_slurm_conf,
    render_topology_conf,
)
from tests.support.render import SSH_KEY, clusters, fixed_keys, for_all

PEOPLE = SlurmCluster(
    name="lab",
    users=(
        User(name="bob", uid=2002, gid=3000, account="physics"),
        User(name="alice", uid=2001, ssh_keys=(SSH_KEY,), admin=True, shell="/usr/bin/zsh"),
        User(name="carol", uid=2003, gid=2001, account="physics"),
    ),
)


def test_passwd_group_and_shadow_of_three_people() -> None:
    assert render_passwd(PEOPLE) == (
        "alice:x:2001:2001::/home/alice:/usr/bin/zsh\n"
        "bob:x:2002:3000::/home/bob:/bin/bash\n"
        "carol:x:2003:2001::/home/carol:/bin/bash\n"
    )
    assert render_group(PEOPLE) == ("alice:x:2001:\nbob:x:2002:\ncarol:x:2003:\ngid.3000:x:3000:\n")
    assert render_shadow(PEOPLE) == "alice:*:::::::\nbob:*:::::::\ncarol:*:::::::\n"


@for_all(clusters())
def test_every_user_is_one_row_of_seven_fields_with_a_group(cluster: SlurmCluster) -> None:
    rows = [row.split(":") for row in render_passwd(cluster).splitlines()]
    groups = [row.split(":") for row in render_group(cluster).splitlines()]

    assert [(row[0], int(row[2]), int(row[3])) for row in rows] == sorted(
        ((one.name, one.uid, one.group_id) for one in cluster.users), key=lambda row: row[1]
    )
    assert {len(row) for row in rows} <= {7}
    assert {int(row[3]) for row in rows} <= {int(group[2]) for group in groups}
    names = [group[0] for group in groups]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("shell", ["/bin/a:b", "/bin/a\nroot::0:0::/:/bin/sh", "/bin/\u00e9"])
def test_text_that_would_make_another_row_is_refused(shell: str) -> None:
    cluster = SlurmCluster(name="lab", users=(User(name="a", uid=2000, shell=shell),))

    with pytest.raises(InputError, match="write user file"):
        render_passwd(cluster)


def test_only_people_with_keys_have_a_file_of_keys() -> None:
    assert render_authorized_keys(PEOPLE) == {"alice": f"{SSH_KEY}\n"}


def test_key_with_a_newline_never_becomes_two_keys() -> None:
    cluster = SlurmCluster(name="lab", users=(User(name="a", uid=2000, ssh_keys=("x\ny",)),))

    with pytest.raises(InputError, match="write user file"):
        render_authorized_keys(cluster)


@for_all(st.from_regex(r"[A-Za-z0-9]{16,64}", fullmatch=True))
def test_database_files_hold_one_password_and_no_second_statement_a_line(password: str) -> None:
    keys = replace(fixed_keys(), database_password=password)
    sql = render_init_sql(keys)

    assert f"StoragePass={password}\n" in render_slurmdbd_conf(SlurmCluster(name="lab"), keys)
    assert f"password={password}\n" in render_client_cnf(keys)
    assert all(re.fullmatch(r"[^;]+;", line) for line in sql.splitlines())
    assert sql.count(f"'{password}'") == 2


def test_slurmdbd_conf_compared_whole() -> None:
    assert render_slurmdbd_conf(SlurmCluster(name="lab"), fixed_keys("p")) == (
        "# Rendered by sunk: change the description, not this.\n"
        "AuthAltParameters=jwt_key=/etc/slurm/jwt_hs256.key\n"
        "AuthAltTypes=auth/jwt\n"
        "AuthType=auth/slurm\n"
        "DbdHost=slurmdbd-0\n"
        "DbdPort=6819\n"
        "PidFile=/run/slurmdbd/slurmdbd.pid\n"
        "SlurmUser=slurm\n"
        "StorageHost=mariadb-0.mariadb\n"
        "StorageLoc=slurm_acct_db\n"
        f"StoragePass={'p' * 32}\n"
        "StoragePort=3306\n"
        "StorageType=accounting_storage/mysql\n"
        "StorageUser=slurm\n"
    )


def test_topology_is_the_text_of_the_description_and_brings_its_plugin() -> None:
    text = "SwitchName=s0 Nodes=w-[0-1]\nSwitchName=root Switches=s0\n"
    cluster = SlurmCluster(name="lab", topology=text)

    assert render_topology_conf(cluster) == f"# From SlurmCluster lab, spec.topology.\n{text}"
    assert "\nTopologyPlugin=topology/tree\n" in render_slurm_conf(cluster)
    assert list(problems(cluster)) == []
    assert render_topology_conf(SlurmCluster(name="lab")) == ""
    assert "TopologyPlugin" not in render_slurm_conf(SlurmCluster(name="lab"))


def test_topology_plugin_that_is_named_is_kept() -> None:
    conf = {"TopologyPlugin": "topology/block"}
    cluster = SlurmCluster(name="lab", topology="BlockName=b Nodes=w-0", slurm_conf=conf)

    assert "\nTopologyPlugin=topology/block\n" in render_slurm_conf(cluster)


@pytest.mark.parametrize("line", ["Include /etc/shadow", "include=x", "SwitchName=\x1b[31m", "é"])
def test_line_of_a_topology_that_could_harm_is_refused(line: str) -> None:
    (problem,) = problems(SlurmCluster(name="lab", topology=f"SwitchName=s0\n{line}"))

    assert problem.path == ("topology",)
    assert "line 2" in str(problem.value)


def test_cgroup_gres_and_mpi_conf_compared_whole() -> None:
    assert render_cgroup_conf(SlurmCluster(name="lab")) == (
        "# Rendered by sunk: the Pod's own limits hold.\nCgroupPlugin=disabled\n"
    )
    assert render_gres_conf() == (
        "# Rendered by sunk: each worker lists its own devices.\nInclude /run/sunk/gres.conf\n"
    )
    assert render_mpi_conf() == (
        "# Rendered by sunk: the default lets ranks leave MPI_Init early.\nPMIxCollFence=ring\n"
    )
