"""Make the secrets of a new cluster: the one module of `sunk.render` that is not pure."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from sunk.render.keys import ClusterKeys


def generate_keys(random_bytes: Callable[[int], bytes] = secrets.token_bytes) -> ClusterKeys:
    """Return fresh keys for one cluster.

    Args:
        random_bytes: returns that many random bytes; must be fit for cryptography except in tests.
    """
    host = Ed25519PrivateKey.from_private_bytes(random_bytes(32))
    return ClusterKeys(
        slurm_key=random_bytes(1024),
        jwt_key=random_bytes(32),
        database_password=random_bytes(16).hex(),
        ssh_host_key=host.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()),
        ssh_host_public_key=host.public_key()
        .public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
        .decode("ascii"),
    )
