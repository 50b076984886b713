"""Configuration around the accounting database: slurmdbd.conf, MariaDB's init file and client.

All three hold the password, so all three live in a Secret. That of a site's own server never passes
through here: slurmdbd's Pod reads it from the site's Secret.
"""

from __future__ import annotations

from sunk.model.cluster import SlurmCluster
from sunk.model.storage import ExternalDatabase
from sunk.render.keys import ClusterKeys
from sunk.render.slurm_conf import JWT_KEY_PATH
from sunk.render.text import conf_pair
from sunk.wellknown import MARIADB_PORT, SLURMDBD_PORT

DATABASE_HOST = "mariadb-0.mariadb"
DATABASE_NAME = "slurm_acct_db"
DATABASE_USER = "slurm"


def database_address(cluster: SlurmCluster) -> tuple[str, int]:
    """Return host and port of the database server."""
    external = cluster.database.external
    return (DATABASE_HOST, MARIADB_PORT) if external is None else (external.host, external.port)


def render_slurmdbd_conf(cluster: SlurmCluster, keys: ClusterKeys) -> str:
    """Return slurmdbd.conf; slurmdbd wants it with mode 0600 and owned by its own user.

    With a site's own database it has no StoragePass: the Pod adds it.
    """
    host, port = database_address(cluster)
    settings = {
        "AuthAltParameters": f"jwt_key={JWT_KEY_PATH}",
        "AuthAltTypes": "auth/jwt",
        "AuthType": "auth/slurm",
        "DbdHost": "slurmdbd-0",  # slurmdbd compares it with the Pod's own host name
        "DbdPort": str(SLURMDBD_PORT),
        "PidFile": "/run/slurmdbd/slurmdbd.pid",
        "SlurmUser": "slurm",
        "StorageHost": host,
        "StoragePort": str(port),
        "StorageType": "accounting_storage/mysql",
        **_database(cluster.database.external, keys),
    }
    lines = [
        "# Rendered by sunk: change the description, not this.",
        *(conf_pair(key, settings[key]) for key in sorted(settings)),
    ]
    return "\n".join(lines) + "\n"


def _database(external: ExternalDatabase | None, keys: ClusterKeys) -> dict[str, str]:
    if external is None:
        return {
            "StorageLoc": DATABASE_NAME,
            "StoragePass": keys.database_password,
            "StorageUser": DATABASE_USER,
        }
    made = {"StorageLoc": external.name, "StorageUser": external.user}
    options = ",".join(f"{key}={value}" for key, value in sorted(external.parameters.items()))
    return made | ({"StorageParameters": options} if options else {})


def render_init_sql(keys: ClusterKeys) -> str:
    """Return the statements that MariaDB runs at every start, one a line as it wants them.

    Each can run again: a new password takes effect at the next start. The password needs no
    quoting because `ClusterKeys` admits only letters and digits.
    """
    user = f"'{DATABASE_USER}'@'%'"
    return (
        f"CREATE DATABASE IF NOT EXISTS {DATABASE_NAME};\n"
        f"CREATE USER IF NOT EXISTS {user} IDENTIFIED BY '{keys.database_password}';\n"
        f"ALTER USER {user} IDENTIFIED BY '{keys.database_password}';\n"
        f"GRANT ALL ON {DATABASE_NAME}.* TO {user};\n"
    )


def render_client_cnf(keys: ClusterKeys) -> str:
    """Return MariaDB's client options, with which the readiness probe logs in as slurmdbd does."""
    return (
        "[client]\n"
        f"user={DATABASE_USER}\n"
        f"password={keys.database_password}\n"
        "host=127.0.0.1\n"
        f"port={MARIADB_PORT}\n"
        "connect_timeout=3\n"
    )
