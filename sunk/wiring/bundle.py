"""Puts a bundle together: images, wheels, chart, templates."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from sunk.errors import ConfigError
from sunk.local.software import bundle
from sunk.local.software.cache import Cache
from sunk.local.software.debrepo import machine_architecture
from sunk.progress import Reporter, step
from sunk.resources import data_folder
from sunk.settings import LocalSettings
from sunk.wiring.local import ensure_software


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """What was written.

    Attributes:
        files: how many are in it.
        sha256: of the archive, for whoever carries it.
    """

    file: str
    files: int
    size_mib: int
    sha256: str


def write(target: Path, settings: LocalSettings, reporter: Reporter) -> Bundle:
    """Write a bundle.

    Raises:
        ConfigError: its folder is not there.
        EnvironmentFault: this machine lacks something.
        CommandError: a build failed.
    """
    if not target.absolute().parent.is_dir():
        raise ConfigError(
            f"write bundle {target}: folder {target.parent} is not there", hint="make it first"
        )
    software = ensure_software(settings, reporter)
    deploy = data_folder("deploy")
    with step(reporter, "wheels") as current:
        wheels = bundle.collect_wheels(
            Cache(settings.cache_folder),
            deploy.parent,
            machine_architecture(),
            say=current.detail,
            hook=lambda: None,
        )
        current.outcome = f"{len(wheels)} wheels"
    with step(reporter, "bundle") as current:
        current.detail(f"writing {target}")
        files = bundle.write_bundle(
            target, software.images, wheels, deploy, data_folder("templates")
        )
        current.outcome = f"{files} files in {target}"
    with target.open("rb") as source:
        digest = hashlib.file_digest(source, "sha256").hexdigest()
    return Bundle(
        file=str(target), files=files, size_mib=target.stat().st_size >> 20, sha256=digest
    )
