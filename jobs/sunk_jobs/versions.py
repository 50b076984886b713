"""Which versions a job meets on a node: Slurm, Python, torch, NCCL, CUDA, driver, MPI, image.

``python3 -m sunk_jobs.versions`` prints one line of JSON, on a node before the main step. It
reads what packages and files say of themselves and imports none of them, so it is quick. What
cannot be seen from here is ``unknown``; only what is known not to be there is ``absent``. Of a job
in containers a node says so with ``--image``, and what the image has is said by one process in it,
with ``--inside``.
Standard library only; changes nothing. Exit codes: 0 said; 2 usage.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sunk_jobs.probe import node_name

SCHEMA = "sunk.dev/versions/v1"
UNKNOWN = "unknown"
ABSENT = "absent"
DRIVER_FILE = Path("/proc/driver/nvidia/version")
MODULES_FILE = Path("/proc/modules")
OF_THE_IMAGE = ("cuda", "mpi", "nccl", "python", "torch")
_SECONDS = 30
_NUMBER = r"(\d+(?:\.\w+)+)"
_SLURM = re.compile(rf"^slurm(?:-\S+)? {_NUMBER}", re.MULTILINE)
_DRIVER = re.compile(rf"^NVRM version:.*?\s{_NUMBER}\s", re.MULTILINE)
_OPEN_MPI = re.compile(rf"\(Open MPI\) {_NUMBER}")
_HYDRA = re.compile(rf"^\s*Version:\s+{_NUMBER}", re.MULTILINE)
_INTEL_MPI = re.compile(r"Intel\(R\) MPI Library.*?Version (\S+(?: Update \S+)?)")
_TORCH_CUDA = re.compile(r"^cuda\b[^=\n]*=\s*(?:'([^']+)'|None)", re.MULTILINE)
_DIGEST = re.compile(r"@(sha256:[0-9a-f]{64})$")


@dataclass(frozen=True)
class Sources:
    """What was read on a node.

    Attributes:
        srun: what ``srun --version`` printed; None when it could not be asked.
        mpirun: the same of ``mpirun --version``.
        driver: the file that the NVIDIA driver says its version in; None when there is none.
        modules: the kernel's list of modules; None when it cannot be read.
        packages: version of each package of this Python that matters, by name.
        torch_file: torch's own file about its build; None when it cannot be read.
    """

    srun: str | None
    mpirun: str | None
    driver: str | None
    modules: str | None
    packages: Mapping[str, str]
    torch_file: str | None


def versions(sources: Sources, *, is_contained: bool) -> dict[str, str]:
    """Return the version of each thing: `unknown` if it cannot be seen, `absent` if not there.

    Args:
        sources: what was read on the node.
        is_contained: the job runs in an image, and what it has cannot be seen from the node.
    """
    found = {
        "driver": _driver(sources.driver, sources.modules),
        "kernel": platform.release(),
        "slurm": _first(_SLURM, sources.srun),
    }
    if is_contained:
        return found | dict.fromkeys(OF_THE_IMAGE, UNKNOWN)
    return found | image_versions(sources)


def image_versions(sources: Sources) -> dict[str, str]:
    """Return the versions of what an image has, seen from inside it."""
    packages = sources.packages
    return {
        "cuda": _cuda(packages, sources.torch_file),
        "mpi": _mpi(sources.mpirun),
        "nccl": _package(packages, "nvidia-nccl-", UNKNOWN),
        "python": platform.python_version(),
        "torch": packages.get("torch", ABSENT),
    }


def image_of(reference: str, file: os.stat_result | None) -> dict[str, Any]:
    """Return what tells an image from others.

    Args:
        reference: name in a registry, or a file; empty without a container.
        file: of the file, where it is one.
    """
    if not reference:
        return {"reference": ABSENT}
    digest = match[1] if (match := _DIGEST.search(reference)) else UNKNOWN
    found: dict[str, Any] = {"reference": reference, "digest": digest}
    if file is not None:
        # Reading gigabytes on every node only to name them would delay the job.
        found |= {"bytes": file.st_size, "modified_seconds": int(file.st_mtime)}
    return found


def _first(pattern: re.Pattern[str], text: str | None) -> str:
    match = pattern.search(text or "")
    return match[1] if match else UNKNOWN


def driver() -> str:
    """Return this node's version of the NVIDIA driver."""
    return _driver(_text(DRIVER_FILE), _text(MODULES_FILE))


def _driver(text: str | None, modules: str | None) -> str:
    if text is None and modules is not None:
        loaded = any(line.split(" ")[0] == "nvidia" for line in modules.splitlines())
        return UNKNOWN if loaded else ABSENT
    return _first(_DRIVER, text)


def _mpi(text: str | None) -> str:
    """Return whose MPI it is and its version. A library without mpirun on the path is not seen."""
    for name, pattern in (("Open MPI", _OPEN_MPI), ("Intel MPI", _INTEL_MPI), ("MPICH", _HYDRA)):
        if (found := _first(pattern, text)) != UNKNOWN:
            return f"{name} {found}"
    return UNKNOWN


def _package(packages: Mapping[str, str], prefix: str, otherwise: str) -> str:
    return next((packages[one] for one in sorted(packages) if one.startswith(prefix)), otherwise)


def _cuda(packages: Mapping[str, str], torch_file: str | None) -> str:
    """Return the CUDA that torch was built for; without torch, the runtime that was installed."""
    match = _TORCH_CUDA.search(torch_file or "")
    if match:
        return match[1] or ABSENT
    return _package(packages, "nvidia-cuda-runtime", UNKNOWN)


def gather() -> Sources:
    """Read this node."""
    packages = {
        name: one.version
        for one in importlib.metadata.distributions()
        if (name := str(one.metadata["Name"] or "").lower()) == "torch"
        or name.startswith("nvidia-")
    }
    return Sources(
        srun=_say("srun"),
        mpirun=_say("mpirun"),
        driver=_text(DRIVER_FILE),
        modules=_text(MODULES_FILE),
        packages=packages,
        torch_file=_torch_file() if "torch" in packages else None,
    )


def _torch_file() -> str | None:
    for one in importlib.metadata.files("torch") or ():
        if str(one) == "torch/version.py":
            return _text(Path(str(one.locate())))
    return None


def _say(program: str) -> str | None:
    try:
        done = subprocess.run(
            [program, "--version"], capture_output=True, timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode(errors="replace")


def _text(file: Path) -> str | None:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None


def _stat(reference: str) -> os.stat_result | None:
    try:
        return Path(reference).stat() if reference.startswith("/") else None
    except (OSError, ValueError):
        return None


def main(words: Sequence[str] | None = None, environment: Mapping[str, str] = os.environ) -> int:
    """Print what this node, or this container, has."""
    reader = argparse.ArgumentParser(prog="sunk_jobs.versions", description=__doc__)
    reader.add_argument("--image", default="", help="of the containers that the job runs in")
    reader.add_argument("--inside", action="store_true", help="in a container of the job")
    options = reader.parse_args(words)
    if options.inside:
        return _print({"schema": SCHEMA, **image_versions(gather())})
    said = {
        "schema": SCHEMA,
        "node": node_name(environment, platform.node()),
        "image": image_of(options.image, _stat(options.image)),
        **versions(gather(), is_contained=bool(options.image)),
    }
    return _print(said)


def _print(said: Mapping[str, Any]) -> int:
    sys.stdout.write(json.dumps(said, sort_keys=True) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
