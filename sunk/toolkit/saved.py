"""Slurm's texts, saved in a folder: where there is no Slurm to ask, or for the record."""

from __future__ import annotations

from pathlib import Path

from sunk.errors import InputError
from sunk.render.profile_detect import SlurmSays
from sunk.render.snapshot import AccountingSays
from sunk.render.strict_file import load_text


def saved_texts(folder: Path) -> SlurmSays:
    """Return the texts of slurmctld in a folder: config.txt and partitions.txt at least.

    Raises:
        InputError: the folder or one of the two is not there, or a file cannot be read.
    """
    if not folder.is_dir():
        raise InputError(f"read {folder}: no such folder", hint="--from takes a folder")
    return SlurmSays(
        configuration=load_text(folder / "config.txt"),
        partitions=load_text(folder / "partitions.txt"),
        topology=_optional(folder / "topology.txt") or "",
        nodes=_optional(folder / "nodes.txt") or "",
    )


def saved_accounting(folder: Path) -> AccountingSays:
    """Return the texts of slurmdbd in a folder, as far as they are there.

    Raises:
        InputError: a file cannot be read.
    """
    return AccountingSays(
        qos=_optional(folder / "qos.txt"),
        associations=_optional(folder / "associations.txt"),
        users=_optional(folder / "users.txt"),
    )


def _optional(file: Path) -> str | None:
    return load_text(file) if file.exists() else None
