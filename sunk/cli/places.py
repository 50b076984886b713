"""Options that say which Slurm cluster is meant, shared by the operators' commands."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sunk.cli import complete

KubeconfigOption = Annotated[
    Path | None,
    typer.Option(
        "--kubeconfig",
        metavar="FILE",
        help="The Kubernetes cluster; a local one when absent. Only this option redirects.",
    ),
]
ContextOption = Annotated[
    str | None,
    typer.Option(
        "--context",
        metavar="NAME",
        help="Context in the kubeconfig; its current one when absent.",
        autocompletion=complete.contexts,
    ),
]
NamespaceOption = Annotated[
    str, typer.Option("--namespace", metavar="NAME", help="Where the Slurm cluster is.")
]
DEFAULT_NAMESPACE = "slurm"
