"""The people of a cluster: name service files and SSH keys.

The files are read by libnss-extrausers on every daemon, so that a name means the same uid
everywhere; a change reaches running Pods without a restart.
"""

from __future__ import annotations

from collections.abc import Mapping

from sunk.errors import InputError, clip
from sunk.model.cluster import SlurmCluster, User
from sunk.render.text import has_control


def home_of(user: User) -> str:
    """Return a user's home folder."""
    return f"/home/{user.name}"


def render_passwd(cluster: SlurmCluster) -> str:
    """Return the users in the form of passwd(5), sorted by uid."""
    return "".join(
        _row(one.name, "x", one.uid, one.group_id, "", home_of(one), one.shell)
        for one in _by_uid(cluster)
    )


def render_group(cluster: SlurmCluster) -> str:
    """Return the primary groups in the form of group(5), sorted by id.

    A group that is some user's uid has that user's name; others are called ``gid.<number>``, which
    no user can be called.
    """
    names = {one.uid: one.name for one in cluster.users}
    groups = sorted({one.group_id for one in cluster.users} | set(names))
    return "".join(_row(names.get(number, f"gid.{number}"), "x", number, "") for number in groups)


def render_shadow(cluster: SlurmCluster) -> str:
    """Return shadow(5) without passwords: ``*`` matches none, and is not a locked account."""
    return "".join(_row(one.name, "*", "", "", "", "", "", "", "") for one in _by_uid(cluster))


def render_authorized_keys(cluster: SlurmCluster) -> Mapping[str, str]:
    """Return each user's authorized_keys file, for those who have a key."""
    return {
        one.name: "".join(f"{_one_line(key)}\n" for key in one.ssh_keys)
        for one in sorted(cluster.users, key=lambda one: one.name)
        if one.ssh_keys
    }


def _by_uid(cluster: SlurmCluster) -> list[User]:
    return sorted(cluster.users, key=lambda one: one.uid)


def _row(*parts: str | int) -> str:
    for part in parts:
        if ":" in str(part):
            raise InputError(f"write user file: {clip(str(part), 60)!r} holds a colon")
    return _one_line(":".join(str(part) for part in parts)) + "\n"


def _one_line(text: str) -> str:
    if has_control(text) or not text.isascii():
        raise InputError(
            f"write user file: {clip(repr(text), 60)} is not one line of printable ASCII"
        )
    return text
