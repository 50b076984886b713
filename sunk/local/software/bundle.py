"""All that a site without a way out needs for an install, in one tar archive.

Layout: ``INSTALL.md``, ``SHA256SUMS`` (as sha256sum reads it), ``chart/sunk``, ``images``,
``templates``, ``wheels``. The same content gives the same bytes.
"""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from sunk.local.software.cache import Cache, Hook, Say, content_key, tree_files
from sunk.local.software.images import export_images, short_name
from sunk.local.software.oci import Image
from sunk.local.software.rootfs import EPOCH_SECONDS
from sunk.local.software.wheels import (
    PYTHON,
    build_wheel,
    download_wheels,
    obtain_builders,
    read_project,
    target_arguments,
    wheel_key,
)

SUMS = "SHA256SUMS"
IMAGES = ("bridge", "login", "slurm")
"""The images that a site runs; the others are the local cluster's."""
HOST_PYTHONS = ("3.11", "3.12")
"""Python of the machines that operators work on, beside that of the images."""
_HOST_GLIBC = 28
"""The oldest C library of such machines: that of RHEL 8."""
_EXTRAS = ("bridge",)


def collect_wheels(
    cache: Cache, root: Path, architecture: str, *, say: Say, hook: Hook
) -> Mapping[str, Path]:
    """Return the wheels of `sunk` and of what it imports, by file name.

    Args:
        cache: where they are kept.
        root: checkout of this project.
        architecture: Debian's name.
        say: told what is done.
        hook: called meanwhile; raises to stop.

    Raises:
        EnvironmentFault: no pip, or no network.
        CommandError: pip failed; the hint names the log.
    """
    project = read_project(root, _EXTRAS)
    targets = {PYTHON: target_arguments(architecture)} | {
        python: target_arguments(architecture, python=python, newest_glibc=_HOST_GLIBC)
        for python in HOST_PYTHONS
    }
    log = cache.logs / "bundle-wheels.log"
    builders = obtain_builders(cache, project, log, say=say, hook=hook)

    def build(content: Path) -> None:
        for python, target in targets.items():
            say(f"downloading wheels for Python {python}")
            download_wheels(project, target, content, log, hook)
        say("building our wheel")
        build_wheel(project, builders, content, log, hook)

    words = [word for target in targets.values() for word in target]
    constraints = root / "constraints.txt"
    key = content_key(constraints, wheel_key(project), *words, *project.requirements)
    entry = cache.obtain("bundle-wheels", key, build, say=say, hook=hook)
    return {file.name: file for file in sorted(entry.content.glob("*.whl"))}


def write_bundle(
    target: Path, images: Sequence[Image], wheels: Mapping[str, Path], deploy: Path, templates: Path
) -> int:
    """Write the bundle, and return how many files are in it.

    Args:
        target: the archive; appears when it is complete.
        images: of which those that a site runs are taken.
        wheels: by file name.
        deploy: folder with the chart and INSTALL.md.
        templates: folder with the job templates.
    """
    chosen = [image for image in images if short_name(image) in IMAGES]
    digests = "".join(f"{short_name(one)} {one.digest}\n" for one in chosen)
    pythons = "".join(f"{python}\n" for python in sorted({PYTHON, *HOST_PYTHONS}))
    scratch = target.with_name(f".{target.name}.{os.getpid()}")
    archives = scratch.with_suffix(".images")
    try:
        files: dict[str, Path | bytes] = {
            "INSTALL.md": deploy / "bundle" / "INSTALL.md",
            "images/DIGESTS": digests.encode(),
            "wheels/PYTHONS": pythons.encode(),
            **{f"images/{one.name}": one for one in export_images(chosen, archives)},
            **{f"wheels/{name}": file for name, file in wheels.items()},
            **_below("chart/sunk", deploy / "chart" / "sunk"),
            **_below("templates", templates),
        }
        sums = "".join(f"{digest}  {name}\n" for name, digest in _digests(files))
        with tarfile.open(scratch, "w") as archive:
            for name, content in sorted({**files, SUMS: sums.encode()}.items()):
                _put(archive, name, content)
        scratch.rename(target)
    finally:
        scratch.unlink(missing_ok=True)
        for file in archives.glob("*"):
            file.unlink()
        if archives.exists():
            archives.rmdir()
    return len(files) + 1


def _below(name: str, folder: Path) -> dict[str, Path | bytes]:
    return {f"{name}/{file.relative_to(folder)}": file for file in tree_files(folder)}


def _digests(files: Mapping[str, Path | bytes]) -> Iterator[tuple[str, str]]:
    for name, content in sorted(files.items()):
        if isinstance(content, bytes):
            yield name, hashlib.sha256(content).hexdigest()
            continue
        with content.open("rb") as source:
            yield name, hashlib.file_digest(source, "sha256").hexdigest()


def _put(archive: tarfile.TarFile, name: str, content: Path | bytes) -> None:
    info = tarfile.TarInfo(name)
    info.mtime, info.mode = EPOCH_SECONDS, 0o644
    if isinstance(content, bytes):
        info.size = len(content)
        archive.addfile(info, io.BytesIO(content))
        return
    info.size = content.stat().st_size
    with content.open("rb") as source:
        archive.addfile(info, source)
