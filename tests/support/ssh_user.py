"""Who logs into hosts of a test: their keys and files, and a network where the hosts have names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)


def public(key: Ed25519PrivateKey) -> str:
    return key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def private(key: Ed25519PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())


def write_secret(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    file.chmod(0o600)


def write_user(
    folder: Path,
    key: Ed25519PrivateKey,
    known: Iterable[tuple[str, Ed25519PrivateKey]],
    more: str = "",
) -> None:
    """Write a user's key, the keys of the hosts that they know, and OpenSSH's configuration.

    Args:
        folder: made if need be; the files are called id, known_hosts and config.
        key: the user's.
        known: name of a host and its key.
        more: of the configuration.
    """
    folder.mkdir(exist_ok=True)
    write_secret(folder / "id", private(key))
    lines = (f"{name} {public(one)}\n" for name, one in known)
    (folder / "known_hosts").write_text("".join(lines))
    (folder / "config").write_text(f"Host *\n  User root\n  IdentityFile {folder}/id\n{more}")


def in_network(pid: int, hosts: Path, words: Sequence[str]) -> list[str]:
    """Return a command line in the network of a process, where a file's names are known.

    All else is this machine's.
    """
    bind = 'mount --bind "$0" /etc/hosts && exec "$@"'
    enter = ["nsenter", "-t", str(pid), "-n", "--", "unshare", "-m", "--"]
    return [*enter, "sh", "-c", bind, str(hosts), *words]
