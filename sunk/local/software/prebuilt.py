"""Kubernetes programs that are there already, so that nothing has to be compiled."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from sunk.clients import process
from sunk.errors import CommandError, ConfigError, EnvironmentFault
from sunk.local.software.gobuild import KUBE_PROGRAMS, KUBE_VERSION

WANTED = KUBE_VERSION.rsplit(".", 1)[0]
"""Major and minor that our configuration files are written for; any patch of it will do."""
_ANSWER = re.compile(r"v\d+\.\d+\.\d+[\w.+-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Prebuilt:
    """What was found.

    Attributes:
        files: path by program name; empty when nothing fits.
        multi_call: whether all are one file that is chosen by the name it is called by.
        version: what the API server answers.
        reasons: why what was looked at was not taken.
    """

    files: tuple[tuple[str, Path], ...] = ()
    multi_call: bool = False
    version: str = ""
    reasons: tuple[str, ...] = ()


def find_prebuilt(kube_bin: Path | None, search_path: tuple[Path, ...]) -> Prebuilt:
    """Look at ``SUNK_KUBE_BIN`` and at PATH for a complete set of a fitting version.

    Raises:
        ConfigError: `kube_bin` names nothing.
    """
    reasons: list[str] = []
    if kube_bin is not None:
        require_usable(kube_bin)
        found = _look(_candidates(kube_bin), "SUNK_KUBE_BIN", multi_call=kube_bin.is_file())
        if found.files:
            return found
        reasons.extend(found.reasons)
    path = os.pathsep.join(str(folder) for folder in search_path)
    on_path = {name: shutil.which(name, path=path) if path else None for name in KUBE_PROGRAMS}
    present = {name: Path(file) for name, file in on_path.items() if file is not None}
    if present:  # a kubectl alone is no news: people have one
        found = _look(present, "PATH", multi_call=False)
        if found.files:
            return found
        if len(present) > 1 or "kubectl" not in present:
            reasons.extend(found.reasons)
    return Prebuilt(reasons=tuple(reasons))


def require_usable(kube_bin: Path | None) -> None:
    """Do nothing unless ``SUNK_KUBE_BIN`` names what is not there.

    Raises:
        ConfigError: it does.
    """
    if kube_bin is not None and not kube_bin.exists():
        raise ConfigError(
            f"read SUNK_KUBE_BIN: {kube_bin} does not exist",
            hint="set it to a folder with kube-apiserver and the others, or to one "
            "multi-call file, or unset it to build them",
        )


def read_answer(text: str) -> str | None:
    """Return the version in what ``--version`` or ``version --client`` printed."""
    match = _ANSWER.search(text)
    return match[0] if match else None


def _candidates(kube_bin: Path) -> dict[str, Path]:
    if kube_bin.is_file():
        return dict.fromkeys(KUBE_PROGRAMS, kube_bin)
    files = {name: kube_bin / name for name in KUBE_PROGRAMS}
    return {name: file for name, file in files.items() if file.is_file()}


def _look(files: dict[str, Path], source: str, *, multi_call: bool) -> Prebuilt:
    missing = [name for name in KUBE_PROGRAMS if name not in files]
    if missing:
        return Prebuilt(reasons=(f"{source} has no {', '.join(missing)}",))
    version = ""
    for name in KUBE_PROGRAMS:
        answer = _ask(files[name], name, multi_call=multi_call)
        if answer is None or not answer.startswith(f"{WANTED}."):
            said = "no version" if answer is None else answer
            return Prebuilt(
                reasons=(f"{source}: {files[name]} as {name} answers {said}, needs {WANTED}.x",)
            )
        version = version or answer
    return Prebuilt(files=tuple(sorted(files.items())), multi_call=multi_call, version=version)


def _ask(file: Path, name: str, *, multi_call: bool) -> str | None:
    question = ["version", "--client"] if name == "kubectl" else ["--version"]
    argv = [str(file), *([name] if multi_call else []), *question]
    try:
        return read_answer(process.run(argv, timeout_seconds=30).stdout)
    except (CommandError, EnvironmentFault, OSError):
        # It cannot even be run (another architecture, not executable): no answer.
        return None
