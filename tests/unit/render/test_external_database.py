"""Accounting in a database that the site runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from sunk.clients import process
from sunk.model.cluster import SlurmCluster
from sunk.model.overlay import PodOverlay
from sunk.model.storage import Database, ExternalDatabase
from sunk.render.checks import problems
from sunk.render.database_conf import render_slurmdbd_conf
from sunk.render.kube import render_objects
from tests.support.render import REPOSITORY, fixed_keys

SITE = ExternalDatabase(
    host="db.example.org",
    port=3307,
    name="acct",
    user="slurm-prod",
    password_secret="accounting-db",
    password_key="pass",
    parameters={"SSL_CA": "/etc/db/ca.pem"},
)
CLUSTER = SlurmCluster(name="lab", database=Database(external=SITE))


def with_site(**changes: object) -> SlurmCluster:
    return replace(CLUSTER, database=Database(external=replace(SITE, **changes)))


def named(cluster: SlurmCluster) -> list[str]:
    return [".".join(map(str, one.path)) for one in problems(cluster)]


def objects(kind: str) -> dict[str, dict]:
    made = render_objects(CLUSTER, fixed_keys())
    return {one["metadata"]["name"]: one for one in made if one["kind"] == kind}


def test_slurmdbd_conf_names_the_sites_server_and_no_password():
    assert render_slurmdbd_conf(CLUSTER, fixed_keys("p")) == (
        "# Rendered by sunk: change the description, not this.\n"
        "AuthAltParameters=jwt_key=/etc/slurm/jwt_hs256.key\n"
        "AuthAltTypes=auth/jwt\n"
        "AuthType=auth/slurm\n"
        "DbdHost=slurmdbd-0\n"
        "DbdPort=6819\n"
        "PidFile=/run/slurmdbd/slurmdbd.pid\n"
        "SlurmUser=slurm\n"
        "StorageHost=db.example.org\n"
        "StorageLoc=acct\n"
        "StorageParameters=SSL_CA=/etc/db/ca.pem\n"
        "StoragePort=3307\n"
        "StorageType=accounting_storage/mysql\n"
        "StorageUser=slurm-prod\n"
    )


def test_no_mariadb_is_made_and_nothing_else_is_missing():
    own = render_objects(replace(CLUSTER, database=Database()), fixed_keys())
    theirs = render_objects(CLUSTER, fixed_keys())
    names = [{(one["kind"], one["metadata"]["name"]) for one in made} for made in (own, theirs)]
    assert names[0] - names[1] == {
        ("Service", "mariadb"),
        ("StatefulSet", "mariadb"),
        ("ConfigMap", "mariadb-conf"),
        ("PersistentVolumeClaim", "database"),
    }
    assert names[1] <= names[0]


def test_slurmdbd_reads_the_password_from_the_sites_secret_and_waits_for_its_server():
    template = objects("StatefulSet")["slurmdbd"]["spec"]["template"]["spec"]
    (container,) = template["containers"]
    values = {one["name"]: one.get("value") for one in container["env"]}
    assert (values["DATABASE_HOST"], values["DATABASE_PORT"]) == ("db.example.org", "3307")
    assert values["PASSWORD_FILE"] == "/etc/sunk/database-password/password"
    volumes = {one["name"]: one for one in template["volumes"]}
    assert volumes["database-password"]["secret"] == {
        "defaultMode": 0o440,
        "items": [{"key": "pass", "path": "password"}],
        "secretName": "accounting-db",
    }


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"host": "db\nStorageUser=root"}, "database.external.host"),
        ({"port": 0}, "database.external.port"),
        ({"name": "a b"}, "database.external.name"),
        ({"user": "a'b"}, "database.external.user"),
        ({"password_secret": "A_B"}, "database.external.passwordSecret"),
        ({"password_key": "a/b"}, "database.external.passwordKey"),
        ({"parameters": {"Include": "/etc/shadow"}}, "database.external.parameters.Include"),
        ({"parameters": {"SSL_CA": "a,SSL_KEY=b"}}, "database.external.parameters.SSL_CA"),
    ],
)
def test_value_that_is_none_is_refused_by_its_key(changes, where):
    assert where in named(with_site(**changes))


def test_pod_of_a_mariadb_that_is_not_made_is_refused():
    database = Database(external=SITE, pod=PodOverlay())
    assert named(replace(CLUSTER, database=database)) == ["database.pod"]


def add_password(folder: Path, password: bytes) -> process.Completed:
    """Run that part of slurmdbd's entry which writes the password."""
    text = (REPOSITORY / "templates/slurm/slurmdbd.sh").read_text()
    start = text.index("add_password() {")
    function = text[start : text.index("\n}\n", start) + 3]
    function = function.replace("/etc/slurm/slurmdbd.conf", str(folder / "slurmdbd.conf"))
    (folder / "password").write_bytes(password)
    script = f'die() {{ echo "$*" >&2; exit 1; }}\n{function}\nadd_password "$1"\n'
    return process.run(
        ["bash", "-euo", "pipefail", "-c", script, "x", folder / "password"],
        timeout_seconds=10,
        check=False,
    )


@pytest.mark.parametrize("password", ["pass", "a$(id)b`c`", "it's;=,[x]{y}%!&*?", "p" * 200])
def test_password_is_written_as_it_is(tmp_path, password):
    done = add_password(tmp_path, f"{password}\n".encode())
    assert (done.status, done.stderr) == (0, "")
    assert (tmp_path / "slurmdbd.conf").read_text() == f'StoragePass="{password}"\n'


@pytest.mark.parametrize(
    "password", [b"", b"a b", b'a"b', b"a#b", b"a\\b", b"a\nStorageUser=root", "p\u00e9".encode()]
)
def test_password_that_slurmdbd_conf_cannot_hold_is_refused_without_showing_it(tmp_path, password):
    done = add_password(tmp_path, password)
    assert done.status == 1
    assert done.stderr.startswith(f"the password in {tmp_path}/password is empty, or has")
    assert not (tmp_path / "slurmdbd.conf").exists()
