"""A site of healthy and dead hosts over SSH, and what has to come of each."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sunk.model.reach import Reason
from tests.support.fabric_texts import FOLDER
from tests.support.ssh_fleet import Daemon, SshFleet, daemons
from tests.support.ssh_user import private, public

SUNK = str(Path(sys.executable).parent / "sunk")
WHOLE = {"sshd": 50, "names": 1000, "dead_of_each": 2}
"""1,000 names on 50 sshd, 20 of them dead."""
STEP_SECONDS = 8.0
COMMAND_SECONDS = 8.0
IBSTAT = FOLDER / "ibstat" / "two-adapters.txt"
WAYS_TO_BE_DEAD = {
    "cut": Reason.NO_ROUTE,
    "gone": Reason.REFUSED,
    "swallowed": Reason.TIMED_OUT,
    "frozen": Reason.BANNER,
    "web": Reason.BANNER,
    "changed": Reason.HOST_KEY_CHANGED,
    "unknown": Reason.HOST_KEY_UNKNOWN,
    "refused": Reason.LOGIN,
    "other": Reason.OTHER_HOST,
    "mute": Reason.SHELL,
}
"""Name of the way -> the step at which it shows."""
_OWN_DAEMON = {
    "cut": "sshd",
    "gone": "nothing",
    "swallowed": "sshd",
    "frozen": "sshd",
    "web": "http",
}


@dataclass
class SshSite:
    """The site.

    Attributes:
        fleet: its hosts.
        names: all of them, sorted.
        options: of ``sunk fabric collect``: where keys and names are.
        expected: host -> outcome and reason.
        dead: way -> names.
        odd: hosts that are healthy and hard to bear, by what they do.
    """

    fleet: SshFleet
    names: tuple[str, ...]
    options: list[str]
    expected: dict[str, tuple[str, str]]
    dead: dict[str, list[str]]
    odd: dict[str, list[str]]

    def command(self, folder: Path, *words: str) -> list[str]:
        seconds = [
            "--connect-seconds",
            str(STEP_SECONDS),
            "--command-seconds",
            str(COMMAND_SECONDS),
        ]
        asked = [SUNK, "fabric", "collect", str(folder), *self.options, *seconds, *words]
        return self.fleet.inside(*asked)

    def collect(self, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
        """Collect from every name."""
        return subprocess.run(
            self.command(folder, *self.names, *words),
            capture_output=True,
            text=True,
            timeout=800,
            check=False,
        )


@contextmanager
def site(
    rootfs: Path, folder: Path, *, sshd: int, names: int, dead_of_each: int
) -> Iterator[SshSite]:
    """Bring a site up.

    Args:
        rootfs: of the slurm image.
        folder: empty.
        sshd: how many daemons serve the healthy hosts, and those that are dead by name alone.
        names: of all hosts together.
        dead_of_each: how many are dead in each way.
    """
    dead = {way: [f"{way}{n}" for n in range(dead_of_each)] for way in WAYS_TO_BE_DEAD}
    by_name = [one for way in dead if way not in _OWN_DAEMON for one in dead[way]]
    healthy = [f"n{n:04d}" for n in range(names - dead_of_each * len(dead))]
    odd = {"noisy": healthy[:1]}
    made = daemons(sshd, [*healthy, *by_name])
    own: dict[str, Daemon] = {}
    for way, runs in _OWN_DAEMON.items():
        (own[way],) = daemons(1, dead[way], start=len(made), runs=runs)
        made.append(own[way])
    tools = {"ibstat": f"#!/bin/sh\ncat <<'end'\n{IBSTAT.read_text()}end\n"}
    first = dict.fromkeys(dead["mute"], "sleep 1000\n")
    first |= dict.fromkeys(dead["other"], "name=impostor\n")
    # Start-up files that say what a terminal would obey, more than a line, and no text at all.
    noise = (
        "printf '\\033]0;owned\\007\\033[2J\\377\\376'; head -c 70000 /dev/zero; echo >&2 noise\n"
    )
    first |= dict.fromkeys(odd["noisy"], noise)
    expected = dict.fromkeys(healthy, ("collected", ""))
    expected |= {
        name: ("unreachable", str(WAYS_TO_BE_DEAD[way])) for way in dead for name in dead[way]
    }
    with SshFleet(rootfs, folder, made, tools, first) as fleet:
        options = fleet.write_user_files(folder / "user")
        _spoil(folder / "user", dead)
        fleet.cut(own["cut"])
        fleet.swallow(own["swallowed"])
        fleet.freeze(own["frozen"])
        yield SshSite(fleet, tuple(sorted(expected)), options, expected, dead, odd)


def _spoil(user: Path, dead: dict[str, list[str]]) -> None:
    """Make the user's files wrong for some names."""
    wrong = {name: f"{name} {_any_key()}" for name in dead["changed"]}
    known = user / "known_hosts"
    lines = [wrong.get(one.split()[0], one) for one in known.read_text().splitlines()]
    gone = {*dead["unknown"]}
    known.write_text("".join(f"{one}\n" for one in lines if one.split()[0] not in gone))
    (user / "stranger").write_bytes(private(Ed25519PrivateKey.generate()))
    (user / "stranger").chmod(0o600)
    refused = " ".join(dead["refused"])
    others = " ".join(f"!{name}" for name in dead["refused"])
    config = user / "config"
    # Keys of all parts that match are offered; these hosts must not get the good one.
    config.write_text(
        f"Host {refused}\n  User root\n  IdentityFile {user}/stranger\n  IdentitiesOnly yes\n"
        + config.read_text().replace("Host *", f"Host * {others}")
    )


def _any_key() -> str:
    return public(Ed25519PrivateKey.generate())
