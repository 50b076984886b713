"""Configuration around the accounting database: slurmdbd.conf, MariaDB's init file and client.

All three hold the password, so all three live in a Secret.
"""

from __future__ import annotations

from sunk.render.keys import ClusterKeys
from sunk.render.slurm_conf import JWT_KEY_PATH
from sunk.render.text import conf_pair
from sunk.wellknown import MARIADB_PORT, SLURMDBD_PORT

DATABASE_HOST = "mariadb-0.mariadb"
DATABASE_NAME = "slurm_acct_db"
DATABASE_USER = "slurm"


def render_slurmdbd_conf(keys: ClusterKeys) -> str:
    """Return slurmdbd.conf; slurmdbd wants it with mode 0600 and owned by its own user."""
    settings = {
        "AuthAltParameters": f"jwt_key={JWT_KEY_PATH}",
        "AuthAltTypes": "auth/jwt",
        "AuthType": "auth/slurm",
        "DbdHost": "slurmdbd-0",  # slurmdbd compares it with the Pod's own host name
        "DbdPort": str(SLURMDBD_PORT),
        "PidFile": "/run/slurmdbd/slurmdbd.pid",
        "SlurmUser": "slurm",
        "StorageHost": DATABASE_HOST,
        "StorageLoc": DATABASE_NAME,
        "StoragePass": keys.database_password,
        "StoragePort": str(MARIADB_PORT),
        "StorageType": "accounting_storage/mysql",
        "StorageUser": DATABASE_USER,
    }
    lines = [
        "# Rendered by sunk: change the description, not this.",
        *(conf_pair(key, settings[key]) for key in sorted(settings)),
    ]
    return "\n".join(lines) + "\n"


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
