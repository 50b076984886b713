"""What in a Pod is ours, so that nothing which a site adds can take its place; pure.

The checks of a description know it from the table here, without rendering a Pod; `overlaid` reads
it from the Pod. A test holds the one to the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from sunk.model.overlay import PodOverlay
from sunk.model.volumes import VolumeMount
from sunk.render.problem import Path, Problem
from sunk.wellknown import API_GROUP, LABEL_INSTANCE, LABEL_MANAGED_BY, LABEL_NAME


@dataclass(frozen=True, slots=True, kw_only=True)
class Ours:
    """What a component's Pod holds before a site adds to it.

    Attributes:
        containers: names.
        volumes: names.
        paths: where the main container has mounts.
        env: variables of the main container.
        grace_seconds: time that the daemon needs to stop.
    """

    containers: frozenset[str]
    volumes: frozenset[str]
    paths: frozenset[str]
    env: frozenset[str]
    grace_seconds: int


def _ours(containers: str, volumes: str, paths: str, env: str, grace_seconds: int) -> Ours:
    """Return it from words, which read better than five sets."""
    return Ours(
        containers=frozenset(containers.split()),
        volumes=frozenset(volumes.split()),
        paths=frozenset(paths.split()),
        env=frozenset(env.split()),
        grace_seconds=grace_seconds,
    )


OURS: Mapping[str, Ours] = MappingProxyType(
    {
        "mariadb": _ours(
            "mariadb",
            "conf database run scripts secrets tmp",
            "/etc/sunk/database /etc/sunk/mariadb /etc/sunk/scripts /run/mysqld /tmp "
            "/var/lib/mysql",
            "DATABASE_CLAIM DATABASE_CONF DATABASE_INIT",
            120,
        ),
        "slurmdbd": _ours(
            "slurmdbd",
            "database-password etc run sack scripts secrets slurm-conf tmp users",
            "/etc/slurm /etc/sunk/database-password /etc/sunk/scripts /etc/sunk/secrets "
            "/etc/sunk/slurm-conf /run/slurm /run/slurmdbd /tmp /var/lib/extrausers",
            "DATABASE_HOST DATABASE_PORT PASSWORD_FILE SECRETS",
            60,
        ),
        "slurmctld": _ours(
            "slurmctld",
            "etc gres offered run sack scripts state tmp users",
            "/etc/slurm /etc/sunk/offered /etc/sunk/scripts /run/slurm /run/slurmctld /run/sunk "
            "/tmp /var/lib/extrausers /var/lib/slurm/ctld",
            "ACCOUNTING_HOST ACCOUNTING_PORT GRES_FILE OFFERED STATE_FOLDER",
            30,
        ),
        "slurmrestd": _ours(
            "slurmrestd",
            "etc scripts tmp users",
            "/etc/slurm /etc/sunk/scripts /tmp /var/lib/extrausers",
            "MALLOC_ARENA_MAX SLURMRESTD_JSON SLURMRESTD_SECURITY SLURM_JWT",
            30,
        ),
        "login": _ours(
            "sackd sshd",
            "authorized-keys home host-key login-conf sack scripts slurm-key users",
            "/etc/sunk/authorized-keys /etc/sunk/host-key /etc/sunk/login /etc/sunk/scripts "
            "/home /run/slurm /var/lib/extrausers",
            "SSHD_CONFIG USERS_FILE",
            30,
        ),
        "slurmd": _ours(
            "slurmd",
            "home pod-facts scripts settle shm slurm-key users",
            "/dev/shm /etc/slurm /etc/sunk/pod /etc/sunk/scripts "  # noqa: S108 - a mount
            "/etc/sunk/settle /home /var/lib/extrausers",
            "CONTROLLER_HOST CONTROLLER_PORT DRAIN_SECONDS GRES_FILE NODE_CONF NODE_GPUS "
            "NODE_UID_FILE POD_UID SETTLE_CONF",
            75,
        ),
    }
)
"""By component, the value of the label app.kubernetes.io/name."""

_DAEMON_FOLDERS = frozenset(
    ("/etc/slurm", "/etc/sunk", "/run/slurm", "/run/sunk", "/var/spool/slurmd")
)
"""Where Slurm's daemons and our scripts read and write, mounted or not."""
_SYSTEM_FOLDERS = frozenset(
    """
    / /bin /dev /etc /lib /lib64 /proc /root /run /sbin /sys /usr /usr/bin /usr/lib /usr/lib64
    /usr/local /usr/sbin /var /var/lib
    """.split()  # noqa: SIM905 - a list of words reads better as words
)
"""Folders of the image without which nothing in it runs; below them there is room."""
_LINKS = {
    "/bin": "/usr/bin",
    "/lib": "/usr/lib",
    "/sbin": "/usr/sbin",
    "/var/lock": "/run/lock",
    "/var/run": "/run",
}
"""Links of the image: what is mounted at the one is found at the other."""
_OPEN_FOLDERS = frozenset(("/home",))
"""Our mounts below which others may be mounted: they can be written."""


def ours_of(template: Mapping[str, object]) -> Ours:
    """Return what a rendered Pod template holds, where nobody added to it yet."""
    spec = template["spec"]
    assert isinstance(spec, Mapping)
    main = spec["containers"][0]
    return Ours(
        containers=frozenset(one["name"] for one in spec["containers"]),
        volumes=frozenset(one["name"] for one in spec["volumes"]),
        paths=frozenset(one["mountPath"] for one in main["volumeMounts"]),
        env=frozenset(one["name"] for one in main["env"]),
        grace_seconds=spec["terminationGracePeriodSeconds"],
    )


def clashes(path: Path, overlay: PodOverlay, ours: Ours) -> Iterator[Problem]:
    """Yield everything of an overlay that would take the place of something of ours.

    Args:
        path: where the overlay stands.
        overlay: what a site adds.
        ours: what the Pod holds.
    """
    for key, words in (("annotations", overlay.annotations), ("labels", overlay.labels)):
        for name in sorted(words):
            if _is_our_key(name):
                allowed = f"keys of your own; {API_GROUP}/ and those that choose Pods are sunk's"
                yield Problem(path=(*path, key, name), value=words[name], allowed=allowed)
    # What the scripts set for Slurm's own commands is as much ours as what the Pod sets.
    env = ours.env | {"SLURM_CONF"}
    yield from _named((*path, "env"), [one.name for one in overlay.env], env)
    yield from _named((*path, "volumes"), [one.name for one in overlay.volumes], ours.volumes)
    yield from _named((*path, "sidecars"), [one.name for one in overlay.sidecars], ours.containers)
    yield from _mounts((*path, "volumeMounts"), overlay.volume_mounts, ours.paths)
    grace = overlay.termination_grace_period_seconds
    if grace is not None and grace < ours.grace_seconds:
        allowed = f"at least the {ours.grace_seconds} s that the daemon needs"
        yield Problem(path=(*path, "terminationGracePeriodSeconds"), value=grace, allowed=allowed)


def _named(path: Path, names: Sequence[str], ours: frozenset[str]) -> Iterator[Problem]:
    for index, name in enumerate(names):
        if name in ours:
            allowed = f"none of sunk's own: {', '.join(sorted(ours))}"
            yield Problem(path=(*path, index, "name"), value=name, allowed=allowed)


def _is_our_key(name: str) -> bool:
    return name.startswith(f"{API_GROUP}/") or name in {
        LABEL_INSTANCE,
        LABEL_MANAGED_BY,
        LABEL_NAME,
    }


def _mounts(path: Path, mounts: Sequence[VolumeMount], paths: frozenset[str]) -> Iterator[Problem]:
    taken = paths | _DAEMON_FOLDERS
    for index, mount in enumerate(mounts):
        place = _followed(mount.mount_path)
        over = sorted(one for one in taken if one == place or one.startswith(f"{place}/"))
        inside = sorted(one for one in taken - _OPEN_FOLDERS if place.startswith(f"{one}/"))
        if place in _SYSTEM_FOLDERS or over or inside:
            reason = (over or inside or ["the image's own files"])[0]
            allowed = f"a folder that leaves {reason} as it is, such as /scratch or /opt/site"
            yield Problem(path=(*path, index, "mountPath"), value=mount.mount_path, allowed=allowed)


def _followed(path: str) -> str:
    """Return where a path leads in our images."""
    for link, target in _LINKS.items():
        if path == link or path.startswith(f"{link}/"):
            return target + path.removeprefix(link)
    return path
