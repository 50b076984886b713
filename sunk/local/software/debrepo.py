"""Debian packages of the images, downloaded once with verified signatures into a flat archive.

From then on images are built without the network, and from the same packages each time.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from sunk.clients import process
from sunk.errors import CommandError
from sunk.local.software.cache import Cache, Entry, Hook, Say, content_key
from sunk.local.software.debian import SUITE, Mirrors, explained

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
DOWNLOAD_SECONDS = 1800
ALWAYS = ("?essential", "apt")
"""What mmdebstrap's variant `apt` wants beside our lists."""


def archive_key(packages: tuple[str, ...], architecture: str) -> str:
    """Return the cache key: what is asked for; what came is in the index."""
    return content_key(SUITE, architecture, *sorted(packages))


def sources_text(mirrors: Mirrors, keyring: Path = KEYRING) -> str:
    """Return the deb822 sources of the images' release; see sources.list(5)."""
    stanzas = [
        f"Types: deb\nURIs: {uri}\nSuites: {suite}\nComponents: main\n"
        f"Targets: Packages\nSigned-By: {keyring}\n"
        for uri, suite in ((mirrors.debian, SUITE), (mirrors.security, f"{SUITE}-security"))
    ]
    return "\n".join(stanzas)


def apt_options(folder: Path, architecture: str) -> tuple[str, ...]:
    """Return apt-get options that keep it to `folder`: no machine state is read or changed.

    The machine's apt.conf stays in force, because it may name the proxy.
    """
    settings = {
        "APT::Architecture": architecture,
        "APT::Architectures": architecture,
        "APT::Default-Release": "",
        "APT::Install-Recommends": "false",
        "APT::Sandbox::User": "root",
        "Acquire::Languages": "none",
        "Acquire::Retries": "3",
        "Debug::NoLocking": "true",
        "Dir::Cache::archives": f"{folder}/archives",
        "Dir::Cache::pkgcache": "",
        "Dir::Cache::srcpkgcache": "",
        "Dir::Etc::preferences": "/dev/null",
        "Dir::Etc::preferencesparts": "/dev/null",
        "Dir::Etc::sourcelist": "/dev/null",
        "Dir::Etc::sourceparts": f"{folder}/sources",
        "Dir::Etc::trusted": "/dev/null",
        "Dir::Etc::trustedparts": "/dev/null",
        "Dir::State::extended_states": f"{folder}/extended_states",
        "Dir::State::lists": f"{folder}/lists",
        "Dir::State::status": f"{folder}/status",
    }
    return tuple(word for name, value in settings.items() for word in ("-o", f"{name}={value}"))


def obtain_archive(
    cache: Cache,
    packages: tuple[str, ...],
    find: Callable[[], Mirrors],
    *,
    say: Say = lambda _text: None,
    hook: Hook = lambda: None,
) -> Entry:
    """Return the cache entry with the packages, all they depend on, and their index.

    Args:
        cache: where it is kept.
        packages: names; what is essential is added.
        find: tells the mirrors; called only when something has to be downloaded.
        say: told what is done.
        hook: called meanwhile; raises to stop.

    Raises:
        EnvironmentFault: the mirror cannot be reached.
        CommandError: a package does not exist, or a signature is wrong.
    """
    architecture = machine_architecture()
    log = cache.logs / "debian-archive.log"

    def build(content: Path) -> None:
        _download(content, packages, find(), architecture, log, say=say, hook=hook)

    return cache.obtain(
        "debian-archive", archive_key(packages, architecture), build, say=say, hook=hook
    )


def machine_architecture() -> str:
    """Return Debian's name of this machine's architecture, for example ``amd64``."""
    return process.run(["dpkg", "--print-architecture"], timeout_seconds=30).stdout.strip()


def _download(
    content: Path,
    packages: tuple[str, ...],
    mirrors: Mirrors,
    architecture: str,
    log: Path,
    *,
    say: Say,
    hook: Hook,
) -> None:
    work = content.parent / "apt"
    for name in ("archives/partial", "lists/partial", "sources"):
        (work / name).mkdir(parents=True)
    (work / "status").touch()
    (work / "sources" / "images.sources").write_text(sources_text(mirrors))
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text("")
    options = apt_options(work, architecture)
    say(f"reading the package lists of {SUITE}")
    _apt(options, ("update", "-o", "APT::Update::Error-Mode=any"), log, hook)
    say(f"downloading {len(packages)} packages and what they need")
    _apt(options, ("install", "-y", "--download-only", *ALWAYS, *packages), log, hook)
    for file in sorted((work / "archives").glob("*.deb")):
        file.rename(content / file.name)
    process.run(["rm", "-rf", "--", work], timeout_seconds=60)
    index = process.run(["apt-ftparchive", "packages", "."], cwd=content, timeout_seconds=300)
    (content / "Packages").write_text(index.stdout)


def _apt(options: tuple[str, ...], words: tuple[str, ...], log: Path, hook: Hook) -> None:
    try:
        process.run_logged(
            ["apt-get", "-q", *options, *words],
            log=log,
            timeout_seconds=DOWNLOAD_SECONDS,
            env={"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"},
            while_running=hook,
        )
    except CommandError as exc:
        raise explained(f"download Debian packages of {SUITE}", exc) from exc
