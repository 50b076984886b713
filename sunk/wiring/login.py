"""What a login node has: Slurm through its own commands."""

from __future__ import annotations

import os

from sunk.clients.slurm.commands import SlurmCommands
from sunk.clients.slurm.runners import ProcessRunner
from sunk.clients.slurm.site import SiteText, read_site


def slurm_commands() -> SlurmCommands:
    """Return Slurm through this machine's own commands."""
    return SlurmCommands(environment=lambda: tuple(os.environ))


def site_text() -> SiteText:
    """Return what this machine's Slurm commands say of the cluster.

    Raises:
        RemoteError: the controller does not answer.
        EnvironmentFault: this machine has no Slurm commands.
    """
    return read_site(ProcessRunner())
