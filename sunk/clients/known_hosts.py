"""OpenSSH's known_hosts files: which keys a host may show.

Plain and hashed names, patterns and ``@revoked`` are read. A line of a certificate authority makes
no key good, as paramiko verifies no host certificates; it is known of, so that one can say so.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from fnmatch import fnmatchcase
from pathlib import Path

from sunk.errors import ConfigError

DEFAULT_FILES = (Path("~/.ssh/known_hosts"), Path("/etc/ssh/ssh_known_hosts"))
_HASHED = "|1|"
REVOKED, AUTHORITY = "@revoked", "@cert-authority"
"""Marks before an entry; sshd(8), the format of its file of known hosts."""


class Trust(Enum):
    """What is known about a key that a host shows."""

    KNOWN = "known"
    UNKNOWN = "unknown"
    CHANGED = "changed"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class _Line:
    """One entry: its first field, the key, and the mark before both."""

    names: str
    kind: str
    key: str
    marker: str = ""

    @property
    def revoked(self) -> bool:
        return self.marker == REVOKED


@dataclass(frozen=True)
class KnownHosts:
    """Entries of one or more files.

    Attributes:
        plain: name -> entries, for names that are neither hashed nor patterns.
        other: all other entries.
        authorities: first fields of the lines of certificate authorities.
    """

    plain: dict[str, list[_Line]] = field(default_factory=dict)
    other: list[_Line] = field(default_factory=list)
    authorities: list[str] = field(default_factory=list)

    def trust(self, name: str, port: int, kind: str, key: str) -> Trust:
        """Return what is known about a key.

        Args:
            name: host name, address or alias that the user means.
            port: TCP port.
            kind: ``ssh-ed25519``.
            key: in base64.
        """
        lines = self._of(name, port)
        shown = [one for one in lines if (one.kind, one.key) == (kind, key)]
        if any(one.revoked for one in shown):
            return Trust.REVOKED
        if shown:
            return Trust.KNOWN
        # A host that is known by keys of other kinds alone was asked for one of those.
        return Trust.CHANGED if any(not one.revoked for one in lines) else Trust.UNKNOWN

    def has_authority(self, name: str, port: int) -> bool:
        """Return whether an authority is named that may certify this host."""
        wanted = entry_name(name, port)
        return any(_matches(names, wanted) for names in self.authorities)

    def kinds(self, name: str, port: int) -> tuple[str, ...]:
        """Return the kinds of key that the host is known by, in the order of the files."""
        return tuple(dict.fromkeys(one.kind for one in self._of(name, port) if not one.revoked))

    def _of(self, name: str, port: int) -> list[_Line]:
        wanted = entry_name(name, port)
        return [
            *self.plain.get(wanted, ()),
            *(one for one in self.other if _matches(one.names, wanted)),
        ]


def entry_name(name: str, port: int) -> str:
    """Return how a host is written in a known_hosts file."""
    return name if port == 22 else f"[{name}]:{port}"


def read(files: Iterable[Path]) -> KnownHosts:
    """Return the entries of files; one that is not there has none.

    Raises:
        ConfigError: a file cannot be read.
    """
    found = KnownHosts()
    for file in files:
        try:
            text = file.expanduser().read_text(errors="replace")
        except FileNotFoundError:
            continue
        except OSError as exc:
            raise ConfigError(f"read {file}: {exc.strerror}") from exc
        for line in _parsed(text):
            if line.marker == AUTHORITY:
                found.authorities.append(line.names)
            elif any(sign in line.names for sign in ("*", "?", "!", _HASHED)):
                found.other.append(line)
            else:
                for name in line.names.split(","):
                    found.plain.setdefault(name, []).append(line)
    return found


def _parsed(text: str) -> Iterator[_Line]:
    for line in text.splitlines():
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        marker = words.pop(0) if words[0].startswith("@") else ""
        if len(words) >= 3 and marker in {"", REVOKED, AUTHORITY}:
            yield _Line(words[0], words[1], words[2], marker)


def _matches(names: str, wanted: str) -> bool:
    if names.startswith(_HASHED):
        return _hash_matches(names, wanted)
    matched = False
    for pattern in names.split(","):
        plain = pattern.removeprefix("!")
        # Square brackets are those of a port here, and no set of characters.
        if fnmatchcase(wanted, plain.replace("[", "[[]")):
            if plain != pattern:
                return False
            matched = True
    return matched


def _hash_matches(names: str, wanted: str) -> bool:
    try:
        salt, told = (base64.b64decode(one, validate=True) for one in names[3:].split("|"))
    except (ValueError, binascii.Error):
        return False
    made = hmac.new(salt, wanted.encode(), hashlib.sha1).digest()
    return hmac.compare_digest(made, told)
