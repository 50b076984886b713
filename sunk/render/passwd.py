"""People out of a text in the form of passwd(5); pure."""

from __future__ import annotations

from collections.abc import Iterator

from sunk.errors import InputError, clip
from sunk.model.cluster import User
from sunk.render import forms

_FIELDS = 7


def read_passwd(text: str, *, account: str, source: str) -> tuple[User, ...]:
    """Return the people of a text, sorted by name.

    Users of the system (ids below 1000 and above what people may have, and names that the image
    has itself) are left out, so that a whole ``getent passwd`` will do. Passwords, names for
    people and homes are not looked at: a home is ``/home/<name>``.

    Args:
        text: lines of passwd(5); empty ones and comments are skipped.
        account: their default account in Slurm.
        source: where it stands, for messages.

    Raises:
        InputError: a line is not in that form, or a name stands there twice; nothing is guessed.
    """
    found: dict[str, User] = {}
    for user in _people(text, account, source):
        if user.name in found:
            raise InputError(f"read {source}: user {user.name} stands there twice")
        found[user.name] = user
    return tuple(found[name] for name in sorted(found))


def _people(text: str, account: str, source: str) -> Iterator[User]:
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        words = line.split(":")
        if len(words) != _FIELDS or not (words[2].isdecimal() and words[3].isdecimal()):
            raise InputError(
                f"read {source}, line {number}: {clip(line, 40)!r} is not in the form of passwd(5)",
                hint="name:x:uid:gid:gecos:home:shell",
            )
        name, uid, gid, shell = words[0], int(words[2]), int(words[3]), words[6]
        if not 1000 <= uid <= forms.ID_LIMIT or name in forms.SYSTEM_USERS:
            continue
        yield User(name=name, uid=uid, gid=gid, account=account, shell=shell or "/bin/bash")
