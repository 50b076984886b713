"""This project as a virtual environment for images: wheels only, nothing is compiled.

In two parts, each a layer of its own, so that an edit of our sources rebuilds the small one only
and needs no network: what we depend on, and our own code.
"""

from __future__ import annotations

import re
import shutil
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sunk.clients import process
from sunk.errors import CommandError, EnvironmentFault, clip
from sunk.local.software.bytecode import compile_bytecode, interpreter
from sunk.local.software.cache import Cache, Entry, Hook, Say, content_key, tree_files
from sunk.local.software.rootfs import EPOCH_SECONDS

PYTHON = "3.13"
"""Python of the images (Debian trixie)."""
VENV = Path("opt/sunk")
"""Where the environment lies in an image, below its root."""
_LEAST_GLIBC, _GLIBC = 17, 41
"""manylinux tags that fit: from manylinux2014 (glibc 2.17) to trixie's glibc 2.41."""
FORMAT = "2"
"""Part of the keys; to be changed with how an environment is laid out."""
PIP_SECONDS = 900
_CONFIGURATION = (
    "home = /usr/bin\ninclude-system-site-packages = false\n"
    f"version = {PYTHON}\nexecutable = /usr/bin/python3\n"
)
_PROGRAM = f"""#!/{VENV}/bin/python3
import sys

from sunk.cli.app import main

sys.exit(main())
"""
_BROKEN_CONNECTION = re.compile(r"connection broken by .*?(\[Errno -?\d+\] [^'\")]*|timed out)")
_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """The sources of this project.

    Attributes:
        root: checkout; holds pyproject.toml and constraints.txt.
        requirements: what the environment needs, extras included.
        backend: what builds our wheel.
        sources: files and folders that end up in our wheel.
    """

    root: Path
    requirements: tuple[str, ...]
    backend: tuple[str, ...]
    sources: tuple[Path, ...]


def read_project(root: Path, extras: Sequence[str]) -> Project:
    """Read what is needed from pyproject.toml.

    Raises:
        EnvironmentFault: `root` is no checkout.
    """
    path = root / "pyproject.toml"
    if not path.is_file():
        raise EnvironmentFault(
            f"build our images: {root} has no pyproject.toml",
            hint="run from a checkout of the repository (pip install -e .)",
        )
    data = tomllib.loads(path.read_text())
    project, wheel = data["project"], data["tool"]["hatch"]["build"]["targets"]["wheel"]
    optional = project["optional-dependencies"]
    requirements = [*project["dependencies"], *(line for name in extras for line in optional[name])]
    names = [*wheel["packages"], *wheel["force-include"], project["readme"], "LICENSE"]
    return Project(
        root=root,
        requirements=tuple(sorted(requirements)),
        backend=tuple(sorted(data["build-system"]["requires"])),
        sources=tuple(root / name for name in sorted(names)),
    )


def wheel_key(project: Project) -> str:
    """Return the key of our own wheel: every byte that may end up in it."""
    return content_key(project.root / "pyproject.toml", *project.sources, str(EPOCH_SECONDS))


def target_arguments(
    architecture: str, *, python: str = PYTHON, newest_glibc: int = _GLIBC
) -> list[str]:
    """Return pip's arguments that choose wheels for the images, whatever runs here.

    Args:
        architecture: Debian's name.
        python: another Python than that of the images.
        newest_glibc: minor version of the C library there.

    Raises:
        EnvironmentFault: the architecture is not one that we know.
    """
    machine = _MACHINES.get(architecture)
    if machine is None:
        raise EnvironmentFault(
            f"choose Python wheels: no images for {architecture}",
            hint=f"use a machine of {' or '.join(sorted(_MACHINES))}",
        )
    glibc = range(newest_glibc, _LEAST_GLIBC - 1, -1)
    platforms = [f"manylinux_2_{minor}_{machine}" for minor in glibc]
    platforms.append(f"manylinux2014_{machine}")
    words = [f"--platform={platform}" for platform in platforms]
    abis = [f"cp{python.replace('.', '')}", "abi3", "none"]
    return [
        *words,
        *(f"--abi={abi}" for abi in abis),
        *("--implementation=cp", f"--python-version={python}", "--only-binary=:all:"),
    ]


def obtain_dependencies(
    cache: Cache,
    root: Path,
    extras: tuple[str, ...],
    architecture: str,
    rootfs: Path,
    *,
    say: Say = lambda _text: None,
    hook: Hook = lambda: None,
) -> Entry:
    """Return the entry whose ``tree`` is an environment with all that we depend on.

    Args:
        cache: where it is kept.
        root: checkout of this project.
        extras: optional dependencies to install.
        architecture: Debian's name.
        rootfs: root file system with the images' Python, which compiles the byte code.
        say: told what is done.
        hook: called meanwhile; raises to stop.

    Raises:
        EnvironmentFault: no pip, or no network.
        CommandError: pip failed; the hint names the log.
    """
    project = read_project(root, extras)
    constraints = root / "constraints.txt"
    target = target_arguments(architecture)
    log = cache.logs / f"{'-'.join(('wheels', *extras))}.log"

    def build(content: Path) -> None:
        wheels = content.parent / "wheels"
        say("downloading Python wheels")
        download_wheels(project, target, wheels, log, hook)
        say("installing the virtual environment")
        tree = content / "tree"
        _install(tree, wheels, target, log, hook)
        venv = tree / VENV
        (venv / "pyvenv.cfg").write_text(_CONFIGURATION)
        (venv / "bin").mkdir()
        for name in ("python", "python3"):
            (venv / "bin" / name).symlink_to("/usr/bin/python3")
        shutil.rmtree(wheels)
        _compile(venv, rootfs, content, log, hook)

    python = interpreter(rootfs)
    key = content_key(constraints, python, *target, _CONFIGURATION, FORMAT, *project.requirements)
    return cache.obtain("-".join(("dependencies", *extras)), key, build, say=say, hook=hook)


def obtain_toolkit(
    cache: Cache,
    root: Path,
    architecture: str,
    rootfs: Path,
    *,
    say: Say = lambda _text: None,
    hook: Hook = lambda: None,
) -> Entry:
    """Return the entry whose ``tree`` is our own code, to be laid over the dependencies.

    Raises:
        EnvironmentFault: no pip; no network when the build back end was never downloaded.
        CommandError: pip failed; the hint names the log.
    """
    project = read_project(root, ())
    target = target_arguments(architecture)
    log = cache.logs / "wheel-sunk.log"
    builders = obtain_builders(cache, project, log, say=say, hook=hook)

    def build(content: Path) -> None:
        say("building our wheel")
        wheels = content.parent / "wheels"
        build_wheel(project, builders, wheels, log, hook)
        tree = content / "tree"
        _install(tree, wheels, target, log, hook)
        program = tree / VENV / "bin/sunk"
        program.parent.mkdir()
        program.write_text(_PROGRAM)
        program.chmod(0o755)
        link = tree / "usr/local/bin/sunk"
        link.parent.mkdir(parents=True)
        link.symlink_to(f"/{VENV}/bin/sunk")
        shutil.rmtree(wheels)
        _compile(tree / VENV, rootfs, content, log, hook)

    key = content_key(wheel_key(project), interpreter(rootfs), *target, _PROGRAM, FORMAT)
    return cache.obtain("toolkit", key, build, say=say, hook=hook)


def download_wheels(
    project: Project, target: Sequence[str], folder: Path, log: Path, hook: Hook
) -> None:
    """Download what a project needs as wheels, for what `target_arguments` chose."""
    constraints = project.root / "constraints.txt"
    words: list[str | Path] = ["download", "--dest", folder, "--constraint", constraints]
    run_pip([*words, *target, *project.requirements], log, hook)


def obtain_builders(cache: Cache, project: Project, log: Path, *, say: Say, hook: Hook) -> Path:
    """Return a folder with the wheels of the build back end."""

    def download(content: Path) -> None:
        say("downloading what builds our wheel")
        words: list[str | Path] = ["download", "--dest", content, "--only-binary=:all:"]
        run_pip([*words, *project.backend], log, hook)

    key = content_key(*project.backend, sys.version)
    return cache.obtain("wheels-backend", key, download, say=say, hook=hook).content


def build_wheel(project: Project, builders: Path, target: Path, log: Path, hook: Hook) -> None:
    """Build our wheel from a copy of the sources, so that nothing else gets in.

    Args:
        project: what to build.
        builders: folder with the build back end's wheels; the network is not used.
        target: folder for the wheel.
        log: pip's output.
        hook: called meanwhile; raises to stop.
    """
    source = target.parent / "source"
    for part in (project.root / "pyproject.toml", *project.sources):
        files = tree_files(part) if part.is_dir() else [part]
        for file in files:
            copy = source / file.relative_to(project.root)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy, follow_symlinks=False)
            copy.chmod(0o755 if file.stat().st_mode & 0o100 else 0o644)
    # An empty folder is not copied, but the wheel's configuration names it.
    for part in project.sources:
        if part.is_dir():
            (source / part.relative_to(project.root)).mkdir(parents=True, exist_ok=True)
    words: list[str | Path] = ["wheel", "--no-deps", "--wheel-dir", target, source]
    settings = {
        "SOURCE_DATE_EPOCH": str(EPOCH_SECONDS),
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(builders),
    }
    run_pip(words, log, hook, env=settings)
    shutil.rmtree(source)


def _install(tree: Path, wheels: Path, target: list[str], log: Path, hook: Hook) -> None:
    """Install all wheels of a folder into the environment below `tree`."""
    packages = tree / VENV / f"lib/python{PYTHON}/site-packages"
    packages.mkdir(parents=True)
    words: list[str | Path] = ["install", "--no-index", "--no-deps", "--no-compile"]
    run_pip([*words, "--target", packages, *target, *sorted(wheels.glob("*.whl"))], log, hook)
    shutil.rmtree(packages / "bin", ignore_errors=True)  # scripts name this machine's Python
    # Where a wheel came from is a path of this machine.
    for file in packages.glob("*.dist-info/direct_url.json"):
        file.unlink()
    for record in sorted(packages.glob("*.dist-info/RECORD")):
        lines = record.read_text().splitlines()
        kept = [line for line in lines if "direct_url.json" not in line and "/bin/" not in line]
        record.write_text("\n".join(sorted(kept)) + "\n")


def _compile(venv: Path, rootfs: Path, content: Path, log: Path, hook: Hook) -> None:
    compile_bytecode(venv / "lib", VENV / "lib", rootfs, content.parent / "compile", log, hook)


def run_pip(
    words: Sequence[str | Path],
    log: Path,
    hook: Hook,
    env: dict[str, str] | None = None,
    timeout_seconds: float = PIP_SECONDS,
) -> None:
    """Run this Python's pip to its end.

    Raises:
        EnvironmentFault: no pip, or no network.
        CommandError: pip failed; the hint names the log.
    """
    argv: list[str | Path] = [
        *(sys.executable, "-m", "pip", "--no-input", "--disable-pip-version-check"),
        *words,
    ]
    try:
        process.run_logged(
            argv, log=log, timeout_seconds=timeout_seconds, env=env, while_running=hook
        )
    except CommandError as exc:
        if "No module named pip" in exc.output:
            raise EnvironmentFault(
                f"build our images: {sys.executable} has no pip",
                hint=f"{sys.executable} -m ensurepip",
            ) from exc
        cause = _network_cause(exc.output)
        if cause is not None:
            raise EnvironmentFault(
                f"download Python wheels: {cause}",
                hint=f"check the network and pip's configuration; pip's output is in {log}",
            ) from exc
        raise


def _network_cause(text: str) -> str | None:
    """Return why pip found nothing to download, or nothing when it failed at something else."""
    for line in text.splitlines():
        broken = _BROKEN_CONNECTION.search(line)
        if broken is not None:
            return clip(broken[1])
    missing = next((line for line in text.splitlines() if "No matching distribution" in line), None)
    return None if missing is None else clip(missing.removeprefix("ERROR: "))
