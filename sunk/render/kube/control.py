"""The daemons that nobody logs in to: MariaDB, slurmdbd, slurmctld, slurmrestd."""

from __future__ import annotations

from pathlib import PurePosixPath

from sunk.model.cluster import SlurmCluster
from sunk.render.database_conf import DATABASE_NAME, database_address
from sunk.render.keys import (
    JWT_KEY_FILE,
    SECRET_DATABASE,
    SECRET_JWT,
    SECRET_SLURM_KEY,
    SLURM_KEY_FILE,
    ClusterKeys,
)
from sunk.render.kube.files import (
    CLIENT_CNF_FILE,
    INIT_SQL_FILE,
    MARIADB_CONF,
    SLURMDBD_CONF_FILE,
    Files,
)
from sunk.render.kube.parts import (
    SCRIPTS,
    SCRIPTS_FOLDER,
    SLURM_CONF,
    USERS,
    USERS_FOLDER,
    Container,
    Mount,
    Object,
    Pod,
    bash,
    claim,
    config,
    digest,
    joined,
    metadata,
    of_config,
    of_secret,
    probe,
    requests,
    scratch,
    script,
    security,
    selector,
    service,
    stateful_set,
)
from sunk.render.slurm_conf import DATABASE_DAEMON_HOST, GRES_FILE, STATE_FOLDER
from sunk.wellknown import (
    MARIADB_PORT,
    SLURM_UID,
    SLURMCTLD_PORT,
    SLURMDBD_PORT,
    SLURMRESTD_PORT,
)

SLURMREST_UID = 64031
"""User ``slurmrest`` of the image: slurmrestd refuses to run as root or as Slurm's user."""
MYSQL_UID = 64032
"""User ``mysql`` of the image; fixed, because it owns the files on the claim."""

_SCRIPTS = config(SCRIPTS, SCRIPTS_FOLDER, volume="scripts")
_USERS = config(USERS, USERS_FOLDER, volume="users")
_DATABASE_CLAIM = "/var/lib/mysql"
_DATABASE_SECRETS = "/etc/sunk/database"
_DATABASE_CONF = "/etc/sunk/mariadb"


def database(cluster: SlurmCluster, files: Files) -> tuple[Object, ...]:
    """Return MariaDB's Service and StatefulSet; nothing when the site has a database."""
    if cluster.database.external is not None:
        return ()
    secret = joined(
        "secrets",
        _DATABASE_SECRETS,
        of_secret(SECRET_DATABASE, CLIENT_CNF_FILE, INIT_SQL_FILE),
        mode=0o440,
    )
    container = Container(
        name="mariadb",
        image=cluster.images.slurm_image,
        command=script("mariadb.sh"),
        values={
            "DATABASE_CLAIM": _DATABASE_CLAIM,
            "DATABASE_CONF": f"{_DATABASE_CONF}/my.cnf",
            "DATABASE_INIT": f"{_DATABASE_SECRETS}/{INIT_SQL_FILE}",
        },
        mounts=(
            config(MARIADB_CONF, _DATABASE_CONF, volume="conf"),
            claim("database", _DATABASE_CLAIM),
            _SCRIPTS,
            secret,
            scratch("run", "/run/mysqld"),
            scratch("tmp", "/tmp"),  # noqa: S108 - the container's own
        ),
        security=security(uid=MYSQL_UID),
        resources=requests("20m", "160Mi"),
        # As slurmdbd does: over TCP, with its name and password, into its database.
        readiness=probe(
            "mariadb",
            f"--defaults-file={_DATABASE_SECRETS}/{CLIENT_CNF_FILE}",
            "--execute=SELECT 1",
            DATABASE_NAME,
        ),
        port=("mysql", MARIADB_PORT),
    )
    pod = Pod(
        component="mariadb",
        containers=(container,),
        config_hash=digest({**files.mariadb, **files.database, **_scripts(files, "mariadb.sh")}),
        fs_group=MYSQL_UID,
        grace_seconds=120,
        overlay=cluster.database.pod,
    )
    return (service(cluster, "mariadb", ("mysql", MARIADB_PORT)), stateful_set(cluster, pod))


def accounting(cluster: SlurmCluster, keys: ClusterKeys, files: Files) -> tuple[Object, ...]:
    """Return slurmdbd's Service and StatefulSet."""
    secret = joined(
        "secrets",
        "/etc/sunk/secrets",
        of_secret(SECRET_DATABASE, SLURMDBD_CONF_FILE),
        of_secret(SECRET_JWT, JWT_KEY_FILE),
        of_secret(SECRET_SLURM_KEY, SLURM_KEY_FILE),
        mode=0o440,
    )
    host, port = database_address(cluster)
    password = _site_password(cluster)
    container = Container(
        name="slurmdbd",
        image=cluster.images.slurm_image,
        command=script("slurmdbd.sh"),
        values={
            "DATABASE_HOST": host,
            "DATABASE_PORT": str(port),
            "SECRETS": secret.path,
            **({} if password is None else {"PASSWORD_FILE": f"{password.path}/password"}),
        },
        mounts=(
            *(() if password is None else (password,)),
            scratch("etc", "/etc/slurm"),
            _SCRIPTS,
            secret,
            config(SLURM_CONF, "/etc/sunk/slurm-conf", volume="slurm-conf"),
            scratch("run", "/run/slurmdbd"),
            scratch("sack", "/run/slurm"),
            scratch("tmp", "/tmp"),  # noqa: S108 - the container's own
            _USERS,
        ),
        security=security(uid=SLURM_UID),
        resources=requests("20m", "32Mi"),
        readiness=probe(*bash("ready-slurmdbd.sh")),
        port=("slurmdbd", SLURMDBD_PORT),
    )
    pod = Pod(
        component="slurmdbd",
        containers=(container,),
        config_hash=digest(
            {
                SLURMDBD_CONF_FILE: files.database[SLURMDBD_CONF_FILE],
                SLURM_KEY_FILE: keys.slurm_key,
                JWT_KEY_FILE: keys.jwt_key,
                **_scripts(files, "slurmdbd.sh", "ready-slurmdbd.sh"),
            }
        ),
        fs_group=SLURM_UID,
        grace_seconds=60,
        overlay=cluster.accounting.pod,
    )
    return (service(cluster, "slurmdbd", ("slurmdbd", SLURMDBD_PORT)), stateful_set(cluster, pod))


def _site_password(cluster: SlurmCluster) -> Mount | None:
    """Return where slurmdbd finds the password of the site's own database."""
    external = cluster.database.external
    if external is None:
        return None
    item = {"key": external.password_key, "path": "password"}
    source = {"defaultMode": 0o440, "items": [item], "secretName": external.password_secret}
    return Mount(
        name="database-password",
        path="/etc/sunk/database-password",
        source={"secret": source},
        read_only=True,
    )


def _site_database(cluster: SlurmCluster) -> dict[str, str]:
    """Return which database of the site's it is: slurmctld makes itself known at its start only."""
    external = cluster.database.external
    if external is None:
        return {}
    return {"database": f"{external.host}:{external.port}/{external.name}"}


def controller(cluster: SlurmCluster, keys: ClusterKeys, files: Files) -> tuple[Object, ...]:
    """Return slurmctld's Service and StatefulSet."""
    # slurm.conf is not part of it: slurmctld takes a new one without a restart.
    config_hash = digest(
        {
            SLURM_KEY_FILE: keys.slurm_key,
            JWT_KEY_FILE: keys.jwt_key,
            **_site_database(cluster),
            **_scripts(files, "slurmctld.sh", "ready-slurmctld.sh"),
        }
    )
    pod = Pod(
        component="slurmctld",
        containers=(_slurmctld(cluster),),
        config_hash=config_hash,
        fs_group=SLURM_UID,
        overlay=cluster.controller.pod,
    )
    return (
        service(cluster, "slurmctld", ("slurmctld", SLURMCTLD_PORT)),
        stateful_set(cluster, pod),
    )


def rest(cluster: SlurmCluster, files: Files) -> tuple[Object, ...]:
    """Return slurmrestd's Service and Deployment; it holds no key, requests bring their token."""
    pod = Pod(
        component="slurmrestd",
        containers=(_slurmrestd(cluster),),
        # Of slurm.conf it needs what no description can change: names, ports and keys.
        config_hash=digest(_scripts(files, "ready-slurmrestd.sh")),
        overlay=cluster.rest.pod,
    )
    choose = selector(cluster, "slurmrestd")
    return (
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": metadata(cluster, "slurmrestd", "slurmrestd"),
            "spec": {
                "ports": [{"name": "rest", "port": SLURMRESTD_PORT, "protocol": "TCP"}],
                "selector": choose,
                "type": "ClusterIP",
            },
        },
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": metadata(cluster, "slurmrestd", "slurmrestd"),
            "spec": {
                "replicas": 1,
                "selector": {"matchLabels": choose},
                "template": pod.template(cluster),
            },
        },
    )


def _slurmctld(cluster: SlurmCluster) -> Container:
    return Container(
        name="slurmctld",
        image=cluster.images.slurm_image,
        command=script("slurmctld.sh"),
        values={
            "ACCOUNTING_HOST": DATABASE_DAEMON_HOST,
            "ACCOUNTING_PORT": str(SLURMDBD_PORT),
            "GRES_FILE": GRES_FILE,
            "OFFERED": "/etc/sunk/offered",
            "STATE_FOLDER": STATE_FOLDER,
        },
        mounts=(
            # auth/slurm takes keys that a group may read, as long as others may not.
            joined(
                "offered",
                "/etc/sunk/offered",
                of_config(SLURM_CONF),
                of_secret(SECRET_JWT, JWT_KEY_FILE),
                of_secret(SECRET_SLURM_KEY, SLURM_KEY_FILE),
                mode=0o440,
            ),
            # What slurmctld runs on: a copy, so that only what was tried before comes here.
            scratch("etc", "/etc/slurm"),
            _SCRIPTS,
            scratch("gres", str(PurePosixPath(GRES_FILE).parent)),
            scratch("run", "/run/slurmctld"),
            scratch("sack", "/run/slurm"),
            claim("state", STATE_FOLDER),
            scratch("tmp", "/tmp"),  # noqa: S108 - the container's own
            _USERS,
        ),
        security=security(uid=SLURM_UID),
        resources=requests("50m", "64Mi"),
        readiness=probe(*bash("ready-slurmctld.sh")),
        port=("slurmctld", SLURMCTLD_PORT),
    )


def _slurmrestd(cluster: SlurmCluster) -> Container:
    return Container(
        name="slurmrestd",
        image=cluster.images.slurm_image,
        command=("tini", "--", "slurmrestd", "-a", "rest_auth/jwt", f"0.0.0.0:{SLURMRESTD_PORT}"),
        values={
            # Big answers would otherwise leave their memory in many arenas: gigabytes.
            "MALLOC_ARENA_MAX": "1",
            # Unsharing needs a capability that this Pod has not.
            "SLURMRESTD_SECURITY": "disable_unshare_sysv,disable_unshare_files",
            "SLURM_JWT": "daemon",
            # Blanks for readers are a third of an answer, and nobody reads these.
            "SLURMRESTD_JSON": "compact",
        },
        mounts=(
            config(SLURM_CONF, "/etc/slurm", volume="etc"),
            _SCRIPTS,
            scratch("tmp", "/tmp"),  # noqa: S108 - the container's own
            _USERS,
        ),
        security=security(uid=SLURMREST_UID),
        resources=requests("20m", "32Mi"),
        # Every question to slurmrestd is two lines in its log.
        readiness=probe(*bash("ready-slurmrestd.sh"), period_seconds=30),
        port=("rest", SLURMRESTD_PORT),
    )


def _scripts(files: Files, *names: str) -> dict[str, str]:
    return {name: files.scripts[name] for name in ("common.sh", *names)}
