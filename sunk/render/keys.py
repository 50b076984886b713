"""The secrets of a Slurm cluster as values, and their way into and out of Kubernetes Secrets.

Nothing here makes a secret: `sunk.render.keygen` does. The renderers take a `ClusterKeys`; whoever
applies a cluster again reads the keys back with `keys_from_secrets`, so that they stay the same.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sunk.errors import InputError

SECRET_SLURM_KEY = "slurm-key"  # noqa: S105 - the name of a Secret
"""Secret with ``slurm.key``: every daemon except slurmrestd and MariaDB."""
SECRET_JWT = "slurm-jwt"  # noqa: S105
"""Secret with ``jwt_hs256.key``: slurmctld and slurmdbd only."""
SECRET_DATABASE = "slurm-database"  # noqa: S105
"""Secret with the database password and the files made from it: MariaDB and slurmdbd only."""
SECRET_SSH_HOST = "login-host-key"  # noqa: S105
"""Secret with sshd's host key: the login Pod only."""

SLURM_KEY_FILE = "slurm.key"
JWT_KEY_FILE = "jwt_hs256.key"
PASSWORD_FILE = "password"  # noqa: S105
SSH_HOST_KEY_FILE = "ssh_host_ed25519_key"
SSH_HOST_PUBLIC_KEY_FILE = "ssh_host_ed25519_key.pub"

_PASSWORD = re.compile(r"[A-Za-z0-9]{16,64}")
_PUBLIC_KEY = re.compile(r"ssh-ed25519 [A-Za-z0-9+/]+={0,2}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterKeys:
    """Everything secret that one cluster needs; its repr shows none of it.

    Attributes:
        slurm_key: shared key of auth/slurm, 1 KiB; who holds it is Slurm's administrator.
        jwt_key: HS256 key that signs REST tokens, 32 bytes.
        database_password: slurmdbd's password in MariaDB; letters and digits only, so that it
            needs no quoting in slurmdbd.conf, SQL or an option file.
        ssh_host_key: sshd's ed25519 private key in OpenSSH form.
        ssh_host_public_key: its public half, ``ssh-ed25519 AAAA…``, for known_hosts.
    """

    slurm_key: bytes = field(repr=False)
    jwt_key: bytes = field(repr=False)
    database_password: str = field(repr=False)
    ssh_host_key: bytes = field(repr=False)
    ssh_host_public_key: str

    def __post_init__(self) -> None:
        """Refuse keys that a daemon would refuse later, without showing them."""
        faults = (
            ("slurm.key", len(self.slurm_key) >= 256, "at least 256 bytes"),
            ("JWT key", len(self.jwt_key) >= 32, "at least 32 bytes"),
            (
                "database password",
                _PASSWORD.fullmatch(self.database_password) is not None,
                "16 to 64 letters and digits",
            ),
            (
                "SSH host key",
                self.ssh_host_key.startswith(b"-----BEGIN OPENSSH PRIVATE KEY-----\n"),
                "an OpenSSH private key",
            ),
            (
                "SSH host public key",
                _PUBLIC_KEY.fullmatch(self.ssh_host_public_key) is not None,
                "one line, ssh-ed25519 and base64",
            ),
        )
        for name, fine, wanted in faults:
            if not fine:
                raise InputError(f"take {name}: not {wanted}", hint="make it with generate_keys()")


def keys_from_secrets(secrets: Iterable[Mapping[str, Any]]) -> ClusterKeys:
    """Return the keys that an applied cluster uses, from its Secrets as the API server gives them.

    Args:
        secrets: Secret objects; those that are not ours are passed over.

    Raises:
        InputError: a Secret or one of its files is missing or damaged.
    """
    data = {item["metadata"]["name"]: item.get("data") or {} for item in secrets}

    def take(secret: str, key: str) -> bytes:
        try:
            return base64.b64decode(data[secret][key], validate=True)
        except (KeyError, ValueError) as exc:
            raise InputError(
                f"read key {key} of Secret {secret}: missing or not base64",
                hint="restore the Secret, or delete the cluster and make it anew",
            ) from exc

    return ClusterKeys(
        slurm_key=take(SECRET_SLURM_KEY, SLURM_KEY_FILE),
        jwt_key=take(SECRET_JWT, JWT_KEY_FILE),
        database_password=take(SECRET_DATABASE, PASSWORD_FILE).decode("ascii", "replace"),
        ssh_host_key=take(SECRET_SSH_HOST, SSH_HOST_KEY_FILE),
        ssh_host_public_key=take(SECRET_SSH_HOST, SSH_HOST_PUBLIC_KEY_FILE)
        .decode("ascii", "replace")
        .strip(),
    )
