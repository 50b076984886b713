"""A cluster's own description of itself, as its commands print it."""

from __future__ import annotations

from dataclasses import dataclass

from sunk.clients.slurm.cli_command import TIMEOUT_SECONDS, Commands
from sunk.clients.slurm.runners import Runner


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteText:
    """What the commands printed.

    Attributes:
        config: ``scontrol show config``.
        partitions: ``scontrol --oneliner show partition``.
        nodes: ``scontrol --oneliner show node``.
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
    commands = Commands(
        runner, variables={}, timeout_seconds=TIMEOUT_SECONDS, on_warning=lambda _text: None
    )

    def show(*words: str) -> str:
        return commands.run(("scontrol", *words), what=f"read {words[-1]} from slurmctld")

    topology = commands.start(("scontrol", "show", "topology"), what="read topology")
    return SiteText(
        config=show("show", "config"),
        partitions=show("--oneliner", "show", "partition"),
        nodes=show("--oneliner", "show", "node"),
        # A flat network is no error here, and some releases report it as one.
        topology=topology.stdout if topology.status == 0 else "",
        sbatch_help=commands.run(("sbatch", "--help"), what="read sbatch's options"),
    )
