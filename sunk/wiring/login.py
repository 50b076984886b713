"""What a login node has: Slurm through its own commands."""

from __future__ import annotations

import os

from sunk.clients.slurm.commands import SlurmCommands


def slurm_commands() -> SlurmCommands:
    """Return Slurm through this machine's own commands."""
    return SlurmCommands(environment=lambda: tuple(os.environ))
