"""Python environments of applications, which login and worker Pods mount read-only: torch, Ray.

They are too large for an image (torch: 5.2 GB) and nothing of ours needs them to import, so they
lie on folders of software beside the images, as sites have it. Each is made for the images'
Python, by pip inside the slurm image's root file system; everything in it is pinned in one file.
Ray has one of its own: in torch's it would make everybody fetch 2.3 GB again.
"""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sunk.clients import process
from sunk.errors import InputError
from sunk.local.software.bytecode import interpreter
from sunk.local.software.cache import Cache, Entry, Hook, Say, content_key
from sunk.local.software.confine import confined
from sunk.local.software.requirements import require_space
from sunk.local.software.wheels import run_pip, target_arguments
from sunk.wellknown import RAY_FOLDER, TORCH_FOLDER

FORMAT = "1"
"""Part of the key; to be changed with what the script does."""
DOWNLOAD_SECONDS = 3600
INSTALL_SECONDS = 3600
_SAY_SECONDS = 2.0
_PIN = re.compile(r"(?P<name>[a-z0-9-]+)==(?P<version>[A-Za-z0-9.+!]+)")
# The root file system is shared and stays as it is: the overlay has no upper layer. Arguments:
# $1 root file system, $2 scratch folder, $3 the environment, $4 its path in the image, $5 wheels.
# Modules that some other Python or an option wants do not compile; the trial import at the end
# is what has to succeed.
_SCRIPT = """
set -eu
mkdir -p "$2/points$4" "$2/points/wheels" "$2/root"
mount -t overlay overlay -o "lowerdir=$2/points:$1" "$2/root"
mount --bind "$3" "$2/root$4"
mount --bind -o ro "$5" "$2/root/wheels"
mount --bind /dev "$2/root/dev"
mount -t proc proc "$2/root/proc"
mount -t tmpfs tmpfs "$2/root/tmp"
inside() {
  chroot "$2/root" /usr/bin/env -i PATH=/usr/bin:/bin HOME=/tmp LC_ALL=C.UTF-8 PYTHONHASHSEED=0 \\
    sh -euc "$6" sh "$4"
}
inside "$@" '/usr/bin/python3 -m venv --without-pip --system-site-packages "$1"
pip=$(echo /wheels/pip-*.whl)
"$1/bin/python3" "$pip/pip" install --no-index --no-deps --no-compile --no-input \\
  --disable-pip-version-check --no-cache-dir --root-user-action=ignore /wheels/*.whl'
echo compiling >&2
inside "$@" '/usr/bin/python3 -B -m compileall -q -j 2 --invalidation-mode unchecked-hash \\
  "$1/lib" >/dev/null 2>&1 || true'
echo trying >&2
inside "$@" '"$1/bin/python3" -B -c "TRIAL"'
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class PythonEnvironment:
    """An environment that can be made.

    Attributes:
        name: of its cache entries, whose content is the environment itself; of the folder below
            ``deploy/local`` with its requirements; and of the package that it is for.
        mount_path: where Pods see it; its programs say this path.
        trial: a program that has to succeed in it; without double quotes.
        download_mib: how much there is to download.
        installed_mib: size of what is unpacked.
        needed_gib: free space to begin with: wheels and content lie side by side until the end.
    """

    name: str
    mount_path: str
    trial: str
    download_mib: int
    installed_mib: int
    needed_gib: int

    @property
    def script(self) -> str:
        """Shell script that makes it."""
        return _SCRIPT.replace("TRIAL", self.trial)


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeEnvironment:
    """A Python environment on this machine.

    Attributes:
        folder: the environment; in the cache, must not be written to.
        version: of the package that it is for.
    """

    folder: Path
    version: str


TORCH = PythonEnvironment(
    name="torch",
    mount_path=TORCH_FOLDER,
    trial="""import numpy, torch, torch.distributed
assert torch.distributed.is_gloo_available()
print(torch.__version__)""",
    download_mib=2350,
    installed_mib=5300,
    needed_gib=8,
)
RAY = PythonEnvironment(
    name="ray",
    mount_path=RAY_FOLDER,
    trial="import ray, ray.scripts.scripts; print(ray.__version__)",
    download_mib=80,
    installed_mib=270,
    needed_gib=1,
)


def read_pins(text: str) -> dict[str, str]:
    """Return the version of each package that a requirements file pins.

    Raises:
        InputError: a line is no pin, or names a package twice.
    """
    pins: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.partition("#")[0].strip()
        if not words:
            continue
        match = _PIN.fullmatch(words)
        if match is None or match["name"] in pins:
            raise InputError(
                f"read the pins of a Python environment: line {number}: {words[:60]!r} is not one "
                "name==version",
                hint="pin each package once, in the requirements.txt below deploy/local",
            )
        pins[match["name"]] = match["version"]
    return pins


def obtain_environment(
    cache: Cache,
    environment: PythonEnvironment,
    requirements: Path,
    architecture: str,
    rootfs: Path,
    *,
    say: Say = lambda _text: None,
    hook: Hook = lambda: None,
) -> Entry:
    """Return the entry whose content is the environment, to be mounted at its path.

    Args:
        cache: where it is kept.
        environment: which one.
        requirements: file that pins everything in it.
        architecture: Debian's name.
        rootfs: root file system of the slurm image, whose Python it is for; not changed.
        say: told what is done.
        hook: called meanwhile; raises to stop.

    Raises:
        EnvironmentFault: too little space, no pip, or no network.
        CommandError: pip failed, or the trial did; the hint names the log.
    """
    name, place, script = environment.name, environment.mount_path, environment.script
    pins = read_pins(requirements.read_text())
    target = target_arguments(architecture)
    pinned = [f"{package}=={version}" for package, version in sorted(pins.items())]
    key = content_key(interpreter(rootfs), *target, *pinned, place, script, FORMAT)

    def build(content: Path) -> None:
        require_space(cache.folder, f"make the {name} environment", environment.needed_gib)
        wheels, coming = content.parent / "wheels", content.parent / "coming"
        coming.mkdir()
        watch = _watched(coming, f"of {environment.download_mib} MiB downloaded", say, hook)
        log = cache.logs / f"{name}-download.log"
        _download(pinned, target, wheels, coming, log, watch)
        watch = _watched(content, f"of {environment.installed_mib} MiB installed", say, hook)
        scratch = content.parent / "scratch"
        words: list[str | Path] = [
            "sh",
            "-c",
            script,
            "sh",
            rootfs,
            scratch,
            content,
            place,
            wheels,
        ]
        _install(words, cache.logs / f"{name}-install.log", watch)
        shutil.rmtree(scratch)  # its mounts went with the process
        shutil.rmtree(wheels)

    return cache.obtain(name, key, build, say=say, hook=hook)


def _download(
    pinned: Sequence[str],
    target: Sequence[str],
    wheels: Path,
    coming: Path,
    log: Path,
    hook: Hook,
) -> None:
    """Download all wheels; where from is what this machine's pip is configured for.

    Everything is pinned, so nothing is resolved: this machine's Python would read the packages'
    conditions as its own.
    """
    words: list[str | Path] = ["download", "--dest", wheels, "--no-deps", "--no-cache-dir"]
    scratch = {"TMPDIR": str(coming)}  # a small /tmp could not hold what is on its way
    run_pip([*words, *target, *pinned], log, hook, env=scratch, timeout_seconds=DOWNLOAD_SECONDS)
    shutil.rmtree(coming)


def _install(words: Sequence[str | Path], log: Path, hook: Hook) -> None:
    process.run_logged(
        confined(words), log=log, timeout_seconds=INSTALL_SECONDS, while_running=hook
    )


def _watched(folder: Path, words: str, say: Say, hook: Hook) -> Callable[[], None]:
    """Return a hook that also says, every other second, how much lies in a folder."""
    spoken = time.monotonic()

    def watch() -> None:
        nonlocal spoken
        hook()
        if time.monotonic() - spoken < _SAY_SECONDS:
            return
        say(f"{_size_mib(folder)} {words}")
        spoken = time.monotonic()

    say(f"0 {words}")
    return watch


def _size_mib(folder: Path) -> int:
    total = 0
    for file in folder.rglob("*"):
        try:
            if not file.is_symlink():
                total += file.stat().st_size
        except OSError:  # it is being moved just now
            continue
    return total >> 20
