"""A cluster's own description of itself, as its commands print it."""

from __future__ import annotations

from dataclasses import dataclass

from sunk.clients.slurm.cli_texts import SlurmTexts
from sunk.clients.slurm.runners import Runner
from sunk.errors import RemoteError


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteText:
    """What the commands printed.

    Attributes:
        config: ``scontrol show config``.
        partitions: ``scontrol --all --oneliner show partition``.
        nodes: ``scontrol --all --oneliner show node``.
        topology: ``scontrol show topology``; empty where there is none to show.
        sbatch_help: ``sbatch --help``.
    """

    config: str
    partitions: str
    nodes: str
    topology: str
    sbatch_help: str


def read_site(runner: Runner) -> SiteText:
    """Ask a cluster's controller, and sbatch itself.

    Raises:
        RemoteError: the controller does not answer.
        EnvironmentFault: the commands are not there.
    """
    texts = SlurmTexts(runner)
    config = texts.configuration()
    return SiteText(
        config=config,
        partitions=texts.partitions(),
        nodes=texts.nodes(),
        topology=_topology(texts),
        sbatch_help=texts.sbatch_help(),
    )


def _topology(texts: SlurmTexts) -> str:
    try:
        return texts.topology()
    except RemoteError:
        return ""  # a flat network is no error here, and some releases report it as one
