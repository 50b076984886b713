"""Options that several commands share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from sunk import settings
from sunk.cli import complete
from sunk.settings import LocalSettings

DEFAULT_CLUSTER = "demo"

NameOption = Annotated[
    str,
    typer.Option(
        "--name",
        metavar="NAME",
        help="Which local cluster; several can be up.",
        autocompletion=complete.clusters,
    ),
]
StateOption = Annotated[
    Path | None,
    typer.Option(
        "--state-dir",
        metavar="DIR",
        help="Where clusters keep their state [env: SUNK_STATE_DIR; default: "
        f"{settings.DEFAULT_STATE_FOLDER}].",
    ),
]
CacheOption = Annotated[
    Path | None,
    typer.Option(
        "--cache-dir",
        metavar="DIR",
        help="Where built programs and images are kept [env: SUNK_CACHE_DIR; default: "
        f"{settings.DEFAULT_CACHE_FOLDER}].",
    ),
]
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Print what would be done; change nothing.")
]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def local_settings(state: Path | None = None, cache: Path | None = None) -> LocalSettings:
    """Return the local cluster's settings from options and this process's environment."""
    return settings.read_local(os.environ, state_folder=state, cache_folder=cache)
