"""The way in for people: an SSH key of the local cluster's own, and the login node's host key."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sunk.clients.ssh import Target, known_hosts_line
from sunk.model.cluster import SlurmCluster
from sunk.render.keys import ClusterKeys

KEY_FILE = "id_ed25519"
KNOWN_HOSTS_FILE = "known_hosts"


@dataclass(frozen=True, slots=True, kw_only=True)
class UserKey:
    """An SSH key pair.

    Attributes:
        private_file: where the private half lies, readable by its owner only.
        public: the line for authorized_keys.
    """

    private_file: Path
    public: str


def ensure_user_key(folder: Path) -> UserKey:
    """Return the key pair in `folder`; make it when there is none."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    private = folder / KEY_FILE
    if not private.exists():
        draft = folder / f"{KEY_FILE}.draft"
        draft.unlink(missing_ok=True)
        draft.touch(mode=0o600)
        draft.write_bytes(
            Ed25519PrivateKey.generate().private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.OpenSSH,
                serialization.NoEncryption(),
            )
        )
        draft.rename(private)
    loaded = serialization.load_ssh_private_key(private.read_bytes(), password=None)
    public = loaded.public_key().public_bytes(
        serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    )
    return UserKey(private_file=private, public=public.decode() + " sunk")


def login_target(user: str, host: str, port: int, key: UserKey, keys: ClusterKeys) -> Target:
    """Return where and how to log in, with the host key that the cluster was given."""
    return Target(
        host=host,
        port=port,
        user=user,
        key_file=key.private_file,
        host_key=keys.ssh_host_public_key,
    )


def write_known_hosts(folder: Path, target: Target) -> None:
    """Write the known_hosts file that ``sunk local ssh`` uses."""
    (folder / KNOWN_HOSTS_FILE).write_text(known_hosts_line(target))


def first_user(cluster: SlurmCluster) -> str:
    """Return the name of the description's first user: who the demo logs in as."""
    return cluster.users[0].name
