"""Names and addresses of hosts, as people write them."""

from __future__ import annotations

import ipaddress
from pathlib import Path

from sunk.errors import InputError
from sunk.model.hostlist import expand
from sunk_fabric.active.layout import NO_RAIL


def named(text: str) -> tuple[str, ...]:
    """Return the hosts of a hostlist, each once.

    Raises:
        InputError: it is none.
    """
    return tuple(dict.fromkeys(expand(text)))


def read_addresses(file: Path) -> dict[tuple[str, str], str]:
    """Return host and rail -> address, from a file in the form of /etc/hosts.

    Raises:
        InputError: it cannot be read, or a line is none.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as exc:
        raise InputError(f"read {file}: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise InputError(f"read {file}: {exc}") from exc
    found: dict[tuple[str, str], str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        try:
            address = str(ipaddress.ip_address(words[0]))
        except ValueError as exc:
            raise InputError(f"read {file} line {number}: {exc}") from exc
        for name in words[1:]:
            host, _, rail = name.partition("/")
            found[host, rail or NO_RAIL] = address
    return found
