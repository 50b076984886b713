"""This machine's Debian packages: which are missing, installing them, and where its mirror is."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sunk.clients import process
from sunk.errors import CommandError, EnvironmentFault, InputError, clip
from sunk.local.software.cache import Hook, Say

SUITE = "trixie"
"""Debian release of our images: stable, and its Slurm 24.11 has a working PMIx."""
LOCK_SECONDS = 180
"""How long to wait for another package manager, for example unattended upgrades."""
INSTALL_SECONDS = 1800
POLICY = Path("/usr/sbin/policy-rc.d")
"""Asked by invoke-rc.d whether a package may start its service; 101 says no."""
_POLICY_TEXT = "#!/bin/sh\n# sunk: packages being installed must not start services\nexit 101\n"
_NO_NETWORK = (
    "Temporary failure resolving",
    "Could not resolve",
    "Could not connect",
    "Unable to connect",
    "Connection timed out",
    "Network is unreachable",
)
_SBIN = "/usr/local/sbin:/usr/sbin:/sbin"
"""Not on every root's PATH, but where iproute2, nftables and runc are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MachinePackage:
    """A package that the local cluster needs on this machine.

    Attributes:
        name: Debian package.
        sign: a program on PATH or an absolute path that shows that it is there.
    """

    name: str
    sign: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mirrors:
    """Base URIs of the archives, without suite.

    Attributes:
        debian: main archive.
        security: security archive.
    """

    debian: str
    security: str


def read_packages(text: str) -> tuple[str, ...]:
    """Return the packages of a packages.txt: first word of each line, ``#`` starts a comment."""
    return tuple(words[0] for words in _rows(text))


def read_machine_packages(text: str) -> tuple[MachinePackage, ...]:
    """Return the rows of deploy/local/packages.txt.

    Raises:
        InputError: a row has not two columns.
    """
    rows = _rows(text)
    for words in rows:
        if len(words) != 2:
            raise InputError(f"read the machine's packages: not two columns: {' '.join(words)!r}")
    return tuple(MachinePackage(name=name, sign=sign) for name, sign in rows)


def _rows(text: str) -> list[list[str]]:
    lines = (line.partition("#")[0].split() for line in text.splitlines())
    return [words for words in lines if words]


def missing_packages(
    wanted: tuple[MachinePackage, ...], search_path: str | None = None
) -> tuple[str, ...]:
    """Return the names of the packages whose sign is not there.

    Args:
        wanted: what to look for.
        search_path: folders joined by colons; PATH and the sbin folders when absent.
    """
    path = default_path() if search_path is None else search_path
    return tuple(package.name for package in wanted if not _is_there(package.sign, path))


def _is_there(sign: str, path: str) -> bool:
    return (
        Path(sign).exists() if sign.startswith("/") else shutil.which(sign, path=path) is not None
    )


def install_packages(names: tuple[str, ...], log: Path, *, say: Say, hook: Hook) -> None:
    """Install Debian packages without starting their services; lists are renewed only if needed.

    Raises:
        EnvironmentFault: this machine has no apt, or no network.
        CommandError: the installation failed; the hint names the log.
    """
    if shutil.which("apt-get") is None:
        raise EnvironmentFault(
            f"install {' '.join(names)}: this machine has no apt-get",
            hint="use Debian 12 or newer, or install these programs by hand",
        )
    with _no_services(log.parent) as before:
        try:
            say(f"installing {' '.join(names)}")
            _apt(("install", *names), log, hook, before)
        except CommandError:
            # Lists may be absent (fresh container) or name files that the mirror no longer has.
            say("renewing package lists")
            _apt(("update",), log, hook)
            say(f"installing {' '.join(names)}")
            _apt(("install", *names), log, hook, before)


def install_hint(names: tuple[str, ...]) -> str:
    """Return the command that a person would type."""
    return f"apt-get install --no-install-recommends {' '.join(names)}"


def _apt(words: tuple[str, ...], log: Path, hook: Hook, before: tuple[str, ...] = ()) -> None:
    options = ("-y", "-q", "--no-install-recommends", "-o", f"DPkg::Lock::Timeout={LOCK_SECONDS}")
    keep = ("-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold")
    try:
        process.run_logged(
            [*before, "apt-get", *options, *keep, *words],
            log=log,
            timeout_seconds=INSTALL_SECONDS,
            env={"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C", "PATH": default_path()},
            while_running=hook,
        )
    except CommandError as exc:
        raise explained(f"apt-get {' '.join(words)}", exc) from exc


def explained(what: str, error: CommandError) -> CommandError | EnvironmentFault:
    """Return the error that says what apt-get failed at: the network, or its own first word."""
    lines = [line.strip() for line in error.output.splitlines()]
    for line in lines:
        if any(sign in line for sign in _NO_NETWORK):
            return EnvironmentFault(
                f"{what}: {clip(line.removeprefix('E: '))}",
                hint="check the network and this machine's apt sources, or name another mirror "
                "(SUNK_DEBIAN_MIRROR)",
            )
    said = next((line.removeprefix("E: ") for line in lines if line.startswith("E: ")), None)
    if said is None:
        return error
    return CommandError(
        f"{what}: {clip(said)}",
        argv=error.argv,
        status=error.status,
        output=error.output,
        hint=error.hint,
    )


def default_path() -> str:
    """Return PATH with the sbin folders."""
    return os.pathsep.join([*os.get_exec_path(), _SBIN])


@contextlib.contextmanager
def _no_services(folder: Path) -> Iterator[tuple[str, ...]]:
    """Forbid services to start while packages are installed.

    A policy that the machine has already is hidden from the installation only, by a mount that
    nobody else sees. Else ours is put there for as long as the block runs; one that a killed run
    left is recognised and removed.

    Args:
        folder: where our policy may be written.

    Yields:
        words to put before the installing command.
    """
    ours = folder / "policy-rc.d"
    theirs = POLICY.exists() and POLICY.read_text() != _POLICY_TEXT
    target = ours if theirs else POLICY
    folder.mkdir(parents=True, exist_ok=True)
    target.write_text(_POLICY_TEXT)
    target.chmod(0o755)
    script = 'mount --bind "$1" "$2" && shift 2 && exec "$@"'
    hide = ("unshare", "--mount", "sh", "-c", script, "sh", str(ours), str(POLICY))
    try:
        yield hide if theirs else ()
    finally:
        target.unlink(missing_ok=True)


TARGETS_FORMAT = "$(LABEL)|$(REPO_URI)|$(CODENAME)"
"""For ``apt-get indextargets``: fields of each index that this machine's apt uses."""


def read_mirrors(text: str) -> Mirrors | None:
    """Return the archives in what ``apt-get indextargets`` printed, or nothing when one lacks.

    Args:
        text: lines in `TARGETS_FORMAT`; labels are the archives' own, whatever the host.
    """
    found: dict[str, str] = {}
    for line in text.splitlines():
        label, _, rest = line.partition("|")
        uri = rest.partition("|")[0].rstrip("/")
        if uri:
            found.setdefault(label, uri)
    if "Debian" not in found or "Debian-Security" not in found:
        return None
    return Mirrors(debian=found["Debian"], security=found["Debian-Security"])


def find_mirrors(
    debian: str | None, security: str | None, log: Path, *, say: Say, hook: Hook
) -> Mirrors:
    """Return the archives to take packages from: the given ones, else this machine's own.

    Raises:
        EnvironmentFault: none is given and the machine's apt knows none.
    """
    if debian is not None and security is not None:
        return Mirrors(debian=debian.rstrip("/"), security=security.rstrip("/"))
    found = _ask_apt()
    if found is None:
        say("renewing package lists")
        _apt(("update",), log, hook)
        found = _ask_apt()
    if found is None:
        raise EnvironmentFault(
            "find a Debian mirror: this machine's apt uses no archive of Debian and its security",
            hint="name both mirrors in the settings, for example SUNK_DEBIAN_MIRROR",
        )
    return Mirrors(
        debian=found.debian if debian is None else debian.rstrip("/"),
        security=found.security if security is None else security.rstrip("/"),
    )


def _ask_apt() -> Mirrors | None:
    done = process.run(
        ["apt-get", "indextargets", "--format", TARGETS_FORMAT, "Identifier: Packages"],
        timeout_seconds=60,
    )
    return read_mirrors(done.stdout)
