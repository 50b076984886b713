"""Static programs from Go modules whose versions and checksums are pinned in deploy/local."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from sunk.clients import process
from sunk.errors import CommandError, EnvironmentFault
from sunk.local.software.cache import Cache, Entry, Hook, Say, content_key, tree_files
from sunk.local.software.confine import confined

KUBE_VERSION = "v1.36.3"
"""Pinned in deploy/local/kube/go.mod; programs call themselves by it."""
HELM_VERSION = "v4.3.1"
"""Pinned in deploy/local/helm/go.mod."""
LEAST_GO = (1, 26)
"""Kubernetes 1.36 declares it."""
GO_REMEDY = (
    f"install Go {LEAST_GO[0]}.{LEAST_GO[1]} or newer and put its bin folder first on PATH "
    "(SUNK_KUBE_BIN spares the long build only: CoreDNS and Helm are built too)"
)
BUILD_SECONDS = 3600
LIST_SECONDS = 900
"""Downloads the modules when they are not there yet: some 350 MB for Kubernetes."""

_VERSION = re.compile(r"go version (?:devel )?go(\d+)\.(\d+)(?:\.(\d+))?")
_MODULE = re.compile(r"(?P<module>[\w.~/+-]+)@(?P<version>v[\w.+~-]+)")
_DOWNLOADING = re.compile(r"downloading (?P<module>\S+) (?P<version>v\S+)")
_NO_NETWORK = (
    "dial tcp",
    "no such host",
    "connection refused",
    "network is unreachable",
    "i/o timeout",
    "TLS handshake timeout",
    "disabled by GOPROXY=off",
)
_FIXED: Mapping[str, str] = {
    "CGO_ENABLED": "0",
    "GOFLAGS": "",
    "GOWORK": "off",
    "GOTOOLCHAIN": "local",
}
"""A person's own Go settings must not change what comes out; proxy and caches stay theirs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GoToolchain:
    """A Go that is new enough.

    Attributes:
        program: path of `go`.
        version: the whole line of `go version`.
    """

    program: Path
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GoProgram:
    """Something to build.

    Attributes:
        name: file name of the program.
        folder: under deploy/local: the module with go.mod and go.sum.
        package: what to build in it.
        variables: strings set at link time, by their full Go name.
        links: further names of the program.
    """

    name: str
    folder: str
    package: str = "."
    variables: tuple[tuple[str, str], ...] = ()
    links: tuple[str, ...] = ()


KUBE_PROGRAMS = (
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
    "kube-proxy",
    "kubectl",
)
GPU_PLUGIN = "simulated-gpu-plugin"
FUNCTION_PLUGIN = "simulated-function-plugin"

_KUBE_MAJOR, _KUBE_MINOR, _ = KUBE_VERSION.removeprefix("v").split(".")
KUBE = GoProgram(
    name="kube",
    folder="kube",
    variables=(
        ("k8s.io/component-base/version.gitVersion", KUBE_VERSION),
        ("k8s.io/component-base/version.gitMajor", _KUBE_MAJOR),
        ("k8s.io/component-base/version.gitMinor", _KUBE_MINOR),
        ("k8s.io/client-go/pkg/version.gitVersion", KUBE_VERSION),
    ),
    links=(*KUBE_PROGRAMS, GPU_PLUGIN, FUNCTION_PLUGIN),
)
PLUGINS_ALONE = GoProgram(
    name=GPU_PLUGIN,
    folder="kube",
    package="./simulated/standalone",
    links=(FUNCTION_PLUGIN,),
)
COREDNS = GoProgram(name="coredns", folder="coredns", package="github.com/coredns/coredns")
HELM = GoProgram(
    name="helm",
    folder="helm",
    package="helm.sh/helm/v4/cmd/helm",
    variables=(("helm.sh/helm/v4/internal/version.version", HELM_VERSION),),
)
PAUSE = GoProgram(name="pause", folder="pause")


def parse_go_version(text: str) -> tuple[int, int, int]:
    """Return the version in what ``go version`` printed.

    Raises:
        EnvironmentFault: it is not such a line.
    """
    match = _VERSION.match(text)
    if match is None:
        raise EnvironmentFault(f"read the version of Go: {text.strip()!r} is not one")
    return int(match[1]), int(match[2]), int(match[3] or 0)


def find_go(search_path: str | None = None) -> GoToolchain:
    """Find Go on PATH and check its version.

    Args:
        search_path: folders joined by colons; the process's PATH when absent.

    Raises:
        EnvironmentFault: there is none, or it is too old.
    """
    least = ".".join(str(number) for number in LEAST_GO)
    found = shutil.which("go", path=search_path)
    if found is None:
        raise EnvironmentFault(
            f"find Go {least} to build Kubernetes: no go on PATH",
            hint=GO_REMEDY,
        )
    asked = process.run([found, "version"], timeout_seconds=30, env=_FIXED, cwd=Path("/"))
    text = asked.stdout.strip()
    version = parse_go_version(text)
    if version[:2] < LEAST_GO:
        has = ".".join(str(number) for number in version)
        raise EnvironmentFault(
            f"use {found} to build Kubernetes: found Go {has}, needs {least} or newer",
            hint=GO_REMEDY,
        )
    return GoToolchain(program=Path(found), version=text)


def build_argv(go: Path, program: GoProgram, target: Path) -> list[str]:
    """Return the command that builds a program; pure."""
    settings = " ".join(f"-X {name}={value}" for name, value in program.variables)
    return [
        str(go),
        *("build", "-v", "-trimpath", "-buildvcs=false", "-mod=readonly"),
        *("-ldflags", f"-s -w {settings}".strip()),
        *("-o", str(target), program.package),
    ]


def program_key(go: GoToolchain, program: GoProgram, source: Path) -> str:
    """Return the cache key: sources, pins, flags and the Go that builds."""
    flags = " ".join(build_argv(Path("go"), program, Path(program.name)))
    parts: list[str | Path] = []
    for file in tree_files(source):
        if not file.name.endswith("_test.go"):
            parts += [str(file.relative_to(source)), file]
    return content_key(flags, go.version, *program.links, *parts)


def build_program(
    cache: Cache,
    go: GoToolchain,
    program: GoProgram,
    deploy: Path,
    *,
    say: Say = lambda _text: None,
    hook: Hook = lambda: None,
) -> Entry:
    """Return the cache entry that holds the program, built when needed.

    Args:
        cache: where it is kept.
        go: what builds it.
        program: what to build.
        deploy: the folder that holds ``local/<folder>``.
        say: told how far the build is.
        hook: called while building; raises to stop.

    Raises:
        EnvironmentFault: a module cannot be had.
        CommandError: the build failed; the hint names the log.
    """
    source = deploy / "local" / program.folder
    log = cache.logs / f"go-{program.name}.log"

    def build(content: Path) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text("")
        # Built from a copy: -mod=readonly still wants to lock files beside go.mod at times, and a
        # source tree in a wheel may be read-only.
        for file in tree_files(source):
            copy = content.parent / "source" / file.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)
        _build(go, program, content, log, say=say, hook=hook)
        shutil.rmtree(content.parent / "source")

    return cache.obtain(
        f"go-{program.name}", program_key(go, program, source), build, say=say, hook=hook
    )


def _build(
    go: GoToolchain, program: GoProgram, content: Path, log: Path, *, say: Say, hook: Hook
) -> None:
    source = content.parent / "source"
    listing = content.parent / "packages.txt"
    say("downloading modules")
    try:
        process.run_logged(
            confined([go.program, "list", "-mod=readonly", "-deps", program.package]),
            log=listing,
            timeout_seconds=LIST_SECONDS,
            env=_FIXED,
            cwd=source,
            while_running=hook,
        )
        total = sum(1 for line in listing.read_text().splitlines() if " " not in line)
        process.run_logged(
            confined(build_argv(go.program, program, content / program.name)),
            log=log,
            timeout_seconds=BUILD_SECONDS,
            env=_FIXED,
            cwd=source,
            while_running=_counting(log, total, say, hook),
        )
    except CommandError as exc:
        raise _explained(program, exc) from exc
    finally:
        listing.unlink(missing_ok=True)
    for link in program.links:
        (content / link).symlink_to(program.name)


def _counting(log: Path, total: int, say: Say, hook: Hook) -> Callable[[], None]:
    """Return a hook that tells how many packages the log names; Go prints each once."""

    def tick() -> None:
        hook()
        say(f"compiled {count_packages(log)} of {total} packages")

    return tick


def count_packages(log: Path) -> int:
    """Return how many packages `go build -v` has named so far."""
    lines = log.read_text(errors="replace").splitlines()
    return sum(1 for line in lines if line and " " not in line and not line.startswith("#"))


def _explained(program: GoProgram, error: CommandError) -> CommandError | EnvironmentFault:
    """Turn a failed download into an error about the network that names the module."""
    module = ""
    for line in error.output.splitlines():
        named = _MODULE.search(line) or _DOWNLOADING.search(line)
        module = f"{named['module']}@{named['version']}" if named else module
        cause = next((text for text in _NO_NETWORK if text in line), None)
        if cause and module:
            return EnvironmentFault(
                f"download Go module {module} for {program.name}: {cause}",
                hint="connect to the network, or set GOPROXY to a mirror that is reachable",
            )
    return error
